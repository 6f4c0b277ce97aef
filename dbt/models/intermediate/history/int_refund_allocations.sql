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

complete_refunds as (
    select
        source,
        record_key,
        known_at as refund_known_at,
        order_id,
        line_id,
        account_id,
        product_id,
        quantity,
        amount,
        known_at,
        superseded_at
    from refunds
    where order_id is not null and account_id is not null and (product_id is not null or line_id is null)
),

incomplete_refunds as (
    select * from refunds
    where order_id is not null and (account_id is null or (product_id is null and line_id is not null))
),

refunded_orders as (
    select
        source,
        order_id,
        account_id,
        known_at,
        superseded_at
    from {{ ref('stg_orders') }} as orders
    where {{ is_among('orders', 'incomplete_refunds', ['source', 'order_id']) }}
),

refunded_lines as (
    select
        source,
        order_id,
        line_id,
        product_id,
        known_at,
        superseded_at
    from {{ ref('stg_order_lines') }} as order_lines
    where {{ is_among('order_lines', 'incomplete_refunds', ['source', 'order_id', 'line_id']) }}
),

-- What the order or the line of a refund tells about it may be learned or edited later, and holds only from then on.
moments as (
    select
        source,
        record_key,
        known_at as refund_known_at,
        known_at
    from incomplete_refunds
    union
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at as refund_known_at,
        orders.known_at
    from incomplete_refunds as refunds
    inner join refunded_orders as orders
        on refunds.source = orders.source and refunds.order_id = orders.order_id and refunds.known_at < orders.known_at
    where refunds.account_id is null and (refunds.superseded_at is null or refunds.superseded_at > orders.known_at)
    union
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at as refund_known_at,
        order_lines.known_at
    from incomplete_refunds as refunds
    inner join refunded_lines as order_lines
        on
            refunds.source = order_lines.source
            and refunds.order_id = order_lines.order_id
            and refunds.line_id = order_lines.line_id
            and refunds.known_at < order_lines.known_at
    where refunds.product_id is null and (refunds.superseded_at is null or refunds.superseded_at > order_lines.known_at)
),

refunds_at_moments as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at as refund_known_at,
        refunds.order_id,
        refunds.line_id,
        refunds.account_id,
        refunds.product_id,
        refunds.quantity,
        refunds.amount,
        moments.known_at,
        coalesce(
            lead(moments.known_at) over (
                partition by moments.source, moments.record_key, moments.refund_known_at
                order by moments.known_at
            ),
            refunds.superseded_at
        ) as superseded_at
    from moments
    inner join incomplete_refunds as refunds
        on
            moments.source = refunds.source
            and moments.record_key = refunds.record_key
            and moments.refund_known_at = refunds.known_at
),

completed_refunds as (
    select
        refunds.source,
        refunds.record_key,
        refunds.refund_known_at,
        refunds.order_id,
        refunds.line_id,
        coalesce(refunds.account_id, min(orders.account_id)) as account_id,
        coalesce(refunds.product_id, min(order_lines.product_id)) as product_id,
        refunds.quantity,
        refunds.amount,
        refunds.known_at,
        refunds.superseded_at
    from refunds_at_moments as refunds
    left join refunded_orders as orders
        on
            refunds.source = orders.source
            and refunds.order_id = orders.order_id
            and {{ is_known_at('orders', 'refunds.known_at') }}
    left join refunded_lines as order_lines
        on
            refunds.source = order_lines.source
            and refunds.order_id = order_lines.order_id
            and refunds.line_id = order_lines.line_id
            and {{ is_known_at('order_lines', 'refunds.known_at') }}
    group by
        refunds.source,
        refunds.record_key,
        refunds.refund_known_at,
        refunds.order_id,
        refunds.line_id,
        refunds.account_id,
        refunds.product_id,
        refunds.quantity,
        refunds.amount,
        refunds.known_at,
        refunds.superseded_at
),

matched_allocations as (
    select
        refunds.source,
        refunds.record_key,
        refunds.known_at as refund_known_at,
        matches.order_id,
        matches.line_id,
        refunds.account_id,
        refunds.product_id,
        matches.quantity,
        {{ share_of('refunds.amount', 'matches.running_quantity', 'refunds.quantity') }}
        - {{ share_of('refunds.amount', 'matches.running_quantity - matches.quantity', 'refunds.quantity') }} as amount,
        refunds.known_at,
        refunds.superseded_at
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
        refunds.known_at as refund_known_at,
        cast(null as varchar) as order_id,
        cast(null as varchar) as line_id,
        refunds.account_id,
        refunds.product_id,
        refunds.quantity - coalesce(matched_totals.quantity, 0) as quantity,
        refunds.amount - coalesce(matched_totals.amount, 0) as amount,
        refunds.known_at,
        refunds.superseded_at
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
    select * from complete_refunds
    union all
    select * from completed_refunds
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
        allocations.superseded_at
    from allocations
    inner join refunds
        on
            allocations.source = refunds.source
            and allocations.record_key = refunds.record_key
            and allocations.refund_known_at = refunds.known_at
)

select * from refund_allocations
