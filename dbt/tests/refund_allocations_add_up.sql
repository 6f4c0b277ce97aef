-- The parts of a refund are the refund: no money is lost or made on the way to the orders.
with

totals as (
    select
        source,
        record_key,
        known_at,
        sum(quantity) as quantity,
        sum(amount) as amount
    from {{ ref('int_refund_allocations') }}
    group by source, record_key, known_at
),

differences as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at,
        refunds.amount,
        totals.amount as allocated_amount
    from {{ ref('stg_refunds') }} as refunds
    left join totals
        on
            refunds.source = totals.source
            and refunds.record_key = totals.record_key
            and {{ is_known_at('refunds', 'totals.known_at') }}
    where
        totals.amount is null
        or totals.amount <> refunds.amount
        or coalesce(totals.quantity, 0) <> coalesce(refunds.quantity, 0)
)

select * from differences
