{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ delete_but_carried() }}", "{{ carry('as_of_day') }}"]
    )
}}

with

as_of_dates as (
    select
        as_of_date,
        {{ day_number('as_of_date') }} as as_of_day,
        known_until,
        carried_from
    from {{ source('control', 'as_of_dates') }}
),

refunds as (
    select
        as_of_dates.as_of_date,
        allocations.source,
        allocations.order_id,
        cast(sum(allocations.amount) as decimal(18, 4)) as amount,
        cast(sum(coalesce(allocations.quantity, 0)) as bigint) as units_count
    from {{ ref('int_refund_allocations') }} as allocations
    inner join as_of_dates
        on
            allocations.refunded_day < as_of_dates.as_of_day
            and {{ is_known_at('allocations', 'as_of_dates.known_until') }}
    where allocations.order_id is not null
    group by as_of_dates.as_of_date, allocations.source, allocations.order_id
),

-- The coalesce keeps engines from planning a join on inequalities: filtering the product with the few dates is faster.
placed_orders as (
    select
        as_of_dates.as_of_date,
        as_of_dates.as_of_day,
        orders.*
    from {{ ref('int_orders') }} as orders
    cross join as_of_dates
    where
        {{ is_placed_before('orders', 'as_of_dates.as_of_day', 'as_of_dates.known_until') }}
        and {{ is_computed_for('orders') }}
),

kept_orders as (
    select
        orders.as_of_date,
        orders.as_of_day,
        orders.customer_id,
        orders.source,
        orders.order_id,
        orders.ordered_at,
        orders.ordered_day,
        cast(orders.net_revenue - coalesce(refunds.amount, 0) as decimal(18, 4)) as net_revenue,
        orders.discount_amount,
        orders.is_discounted,
        case
            when orders.units_count >= coalesce(refunds.units_count, 0) then orders.units_count - coalesce(refunds.units_count, 0)
            when orders.units_count is not null then 0
        end as units_count,
        orders.products_count,
        refunds.amount is not null as has_refund
    from placed_orders as orders
    left join refunds
        on
            orders.as_of_date = refunds.as_of_date
            and orders.source = refunds.source
            and orders.order_id = refunds.order_id
    where {{ is_left_with_something('orders', 'refunds') }}
),

as_of_orders as (
    select
        *,
        lag(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
        ) as previous_ordered_day,
        lead(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
        ) is null as is_last_order,
        last_value(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
            rows between unbounded preceding and unbounded following
        ) as last_ordered_day
    from kept_orders
)

select * from as_of_orders
