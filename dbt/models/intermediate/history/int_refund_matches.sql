with recursive

refunds as (
    select
        *,
        row_number() over (
            partition by source, account_id, product_id, unit_price
            order by known_at, refunded_at, file, line, record_key
        ) as step
    from {{ ref('stg_refunds') }}
    where
        order_id is null
        and match_within_days is not null
        and account_id is not null
        and product_id is not null
        and unit_price is not null
        and quantity > 0
),

purchase_groups as (
    select
        source,
        account_id,
        product_id,
        unit_price,
        row_number() over (order by source, account_id, product_id, unit_price) as purchase_group
    from refunds
    where step = 1
),

grouped_refunds as (
    select
        purchase_groups.purchase_group,
        refunds.step,
        refunds.source,
        refunds.record_key,
        refunds.quantity,
        refunds.refunded_at,
        refunds.match_within_days * interval '1 day' as match_within,
        refunds.known_at,
        refunds.superseded_at
    from refunds
    inner join purchase_groups
        on
            refunds.source = purchase_groups.source
            and refunds.account_id = purchase_groups.account_id
            and refunds.product_id = purchase_groups.product_id
            and refunds.unit_price = purchase_groups.unit_price
),

grouped_lines as (
    select
        purchase_groups.purchase_group,
        order_lines.record_key,
        order_lines.order_id,
        order_lines.line_id,
        order_lines.quantity,
        order_lines.ordered_at,
        row_number() over (
            partition by purchase_groups.purchase_group
            order by order_lines.ordered_at, order_lines.file, order_lines.line, order_lines.record_key, order_lines.known_at
        ) as line_rank,
        order_lines.known_at,
        order_lines.superseded_at
    from {{ ref('stg_order_lines') }} as order_lines
    inner join purchase_groups
        on
            order_lines.source = purchase_groups.source
            and order_lines.account_id = purchase_groups.account_id
            and order_lines.product_id = purchase_groups.product_id
            and order_lines.unit_price = purchase_groups.unit_price
    where order_lines.quantity > 0
),

kinds as (
    select false as is_new
    union all
    select true as is_new
),

-- After step k stand here, for each group, its lines and what its first k refunds took from them (taken_at_step > 0).
steps as (
    select
        purchase_group,
        cast(0 as bigint) as step,
        record_key,
        order_id,
        line_id,
        quantity,
        ordered_at,
        line_rank,
        known_at,
        superseded_at,
        cast(0 as bigint) as taken_at_step,
        cast(0 as bigint) as taken,
        cast(null as timestamp) as released_at
    from grouped_lines
    union all
    select
        takings.purchase_group,
        takings.step,
        takings.record_key,
        takings.order_id,
        takings.line_id,
        takings.quantity,
        takings.ordered_at,
        takings.line_rank,
        takings.known_at,
        takings.superseded_at,
        case when kinds.is_new then takings.step else takings.taken_at_step end as taken_at_step,
        cast(case when kinds.is_new then takings.newly_taken else takings.taken end as bigint) as taken,
        case when kinds.is_new then takings.refund_superseded_at else takings.released_at end as released_at
    from (
        select
            remainders.*,
            least(
                remainders.remaining,
                greatest(
                    remainders.refund_quantity - coalesce(
                        sum(remainders.remaining) over (
                            partition by remainders.purchase_group
                            order by remainders.line_rank desc
                            rows between unbounded preceding and 1 preceding
                        ),
                        0
                    ),
                    0
                )
            ) as newly_taken
        from (
            select
                steps.purchase_group,
                refunds.step,
                steps.record_key,
                steps.order_id,
                steps.line_id,
                steps.quantity,
                steps.ordered_at,
                steps.line_rank,
                steps.known_at,
                steps.superseded_at,
                steps.taken_at_step,
                steps.taken,
                steps.released_at,
                refunds.quantity as refund_quantity,
                refunds.superseded_at as refund_superseded_at,
                case
                    when
                        steps.taken_at_step = 0
                        and steps.ordered_at <= refunds.refunded_at
                        and steps.ordered_at + refunds.match_within >= refunds.refunded_at
                        and {{ is_known_at('steps', 'refunds.known_at') }}
                        then greatest(
                            steps.quantity - sum(
                                case
                                    when steps.released_at is null or steps.released_at > refunds.known_at then steps.taken
                                    else 0
                                end
                            ) over (partition by steps.purchase_group, steps.record_key),
                            0
                        )
                    else 0
                end as remaining
            from steps
            inner join grouped_refunds as refunds
                on steps.purchase_group = refunds.purchase_group and steps.step + 1 = refunds.step
        ) as remainders
    ) as takings
    cross join kinds
    where not kinds.is_new or takings.newly_taken > 0
),

matches as (
    select
        grouped_refunds.source,
        grouped_refunds.record_key as refund_record_key,
        grouped_refunds.known_at,
        steps.order_id,
        steps.line_id,
        cast(steps.taken as bigint) as quantity
    from steps
    inner join grouped_refunds
        on steps.purchase_group = grouped_refunds.purchase_group and steps.step = grouped_refunds.step
    where steps.taken_at_step = steps.step and steps.step > 0
)

select * from matches
