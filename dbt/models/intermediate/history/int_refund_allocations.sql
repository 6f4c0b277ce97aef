with

refunds as (
    select * from {{ ref('stg_refunds') }}
),

matches as (
    select
        source,
        refund_record_key,
        known_at,
        order_id,
        line_id,
        quantity,
        -- Shares of the running quantity, rounded, are subtracted from each other: so the parts add up to the refund.
        cast(
            sum(quantity) over (
                partition by source, refund_record_key, known_at
                order by order_id, line_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as running_quantity
    from {{ ref('int_refund_matches') }}
),

refunded_lines as (
    select
        order_lines.source,
        order_lines.order_id,
        order_lines.line_id,
        min(order_lines.product_id) as product_id
    from {{ ref('stg_order_lines') }} as order_lines
    where
        exists (
            select 1
            from refunds
            where
                refunds.source = order_lines.source
                and refunds.order_id = order_lines.order_id
                and refunds.line_id = order_lines.line_id
        )
    group by order_lines.source, order_lines.order_id, order_lines.line_id
),

refunded_orders as (
    select
        orders.source,
        orders.order_id,
        min(orders.account_id) as account_id
    from {{ ref('stg_orders') }} as orders
    where
        exists (
            select 1
            from refunds
            where
                refunds.account_id is null
                and refunds.source = orders.source
                and refunds.order_id = orders.order_id
        )
    group by orders.source, orders.order_id
),

given_allocations as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at,
        refunds.order_id,
        refunds.line_id,
        coalesce(refunds.account_id, refunded_orders.account_id) as account_id,
        coalesce(refunds.product_id, refunded_lines.product_id) as product_id,
        refunds.quantity,
        refunds.amount
    from refunds
    left join refunded_orders
        on refunds.source = refunded_orders.source and refunds.order_id = refunded_orders.order_id
    left join refunded_lines
        on
            refunds.source = refunded_lines.source
            and refunds.order_id = refunded_lines.order_id
            and refunds.line_id = refunded_lines.line_id
    where refunds.order_id is not null
),

matched_allocations as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at,
        matches.order_id,
        matches.line_id,
        refunds.account_id,
        refunds.product_id,
        matches.quantity,
        {{ share_of('refunds.amount', 'matches.running_quantity', 'refunds.quantity') }}
        - {{ share_of('refunds.amount', 'matches.running_quantity - matches.quantity', 'refunds.quantity') }} as amount
    from matches
    inner join refunds
        on
            matches.source = refunds.source
            and matches.refund_record_key = refunds.record_key
            and matches.known_at = refunds.known_at
),

matched_totals as (
    select
        source,
        record_key,
        known_at,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(amount) as decimal(18, 4)) as amount
    from matched_allocations
    group by source, record_key, known_at
),

unmatched_allocations as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at,
        cast(null as varchar) as order_id,
        cast(null as varchar) as line_id,
        refunds.account_id,
        refunds.product_id,
        refunds.quantity - coalesce(matched_totals.quantity, 0) as quantity,
        refunds.amount - coalesce(matched_totals.amount, 0) as amount
    from refunds
    left join matched_totals
        on
            refunds.source = matched_totals.source
            and refunds.record_key = matched_totals.record_key
            and refunds.known_at = matched_totals.known_at
    where
        refunds.order_id is null
        and (matched_totals.quantity is null or matched_totals.quantity < refunds.quantity)
),

allocations as (
    select * from given_allocations
    union all
    select * from matched_allocations
    union all
    select * from unmatched_allocations
),

refund_allocations as (
    select
        allocations.source,
        allocations.record_key,
        refunds.refund_id,
        allocations.order_id,
        allocations.line_id,
        allocations.account_id,
        allocations.product_id,
        allocations.quantity,
        cast(allocations.amount as decimal(18, 4)) as amount,
        refunds.refunded_at,
        refunds.refunded_date,
        {{ day_number('refunds.refunded_date') }} as refunded_day,
        allocations.known_at,
        refunds.superseded_at
    from allocations
    inner join refunds
        on
            allocations.source = refunds.source
            and allocations.record_key = refunds.record_key
            and allocations.known_at = refunds.known_at
)

select * from refund_allocations
