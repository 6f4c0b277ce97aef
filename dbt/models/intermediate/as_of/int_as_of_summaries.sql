{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ delete_but_carried() }}", "{{ carry() }}"]
    )
}}

with

parameters as (
    select * from {{ source('control', 'parameters') }}
),

orders as (
    select
        as_of_orders.as_of_date,
        as_of_orders.customer_id,
        as_of_orders.ordered_day,
        as_of_orders.as_of_day - as_of_orders.ordered_day as days_ago,
        as_of_orders.as_of_day - as_of_orders.last_ordered_day as last_order_days_ago,
        as_of_orders.as_of_day - as_of_orders.previous_ordered_day as previous_order_days_ago,
        nullif(as_of_orders.ordered_day - as_of_orders.previous_ordered_day, 0) as gap_days,
        as_of_orders.net_revenue,
        cast(as_of_orders.net_revenue as decimal(38, 2)) as rounded_net_revenue,
        as_of_orders.discount_amount,
        as_of_orders.is_discounted,
        (as_of_orders.ordered_day + 3) % 7 >= 5 as is_on_weekend,
        coalesce(as_of_orders.units_count, 1) as units_count,
        coalesce(as_of_orders.products_count, 1) as products_count,
        as_of_orders.is_last_order,
        as_of_orders.has_refund
    from {{ ref('int_as_of_orders') }} as as_of_orders
    inner join {{ source('control', 'as_of_dates') }} as as_of_dates on as_of_orders.as_of_date = as_of_dates.as_of_date
    where {{ is_computed_for('as_of_orders') }}
),

order_summaries as (
    select
        orders.as_of_date,
        orders.customer_id,
        min(orders.ordered_day) as first_ordered_day,
        max(orders.ordered_day) as last_ordered_day,
        count(*) as orders_count,
        count(orders.gap_days) as gaps_count,
        count(*) filter (where orders.days_ago <= 30) as orders_30d_count,
        count(*) filter (where orders.days_ago <= 90) as orders_90d_count,
        count(*) filter (where orders.days_ago <= 180) as orders_180d_count,
        count(*) filter (where orders.days_ago <= 365) as orders_365d_count,
        count(*) filter (
            where
            orders.days_ago <= 365
            and (
                orders.previous_order_days_ago is null
                or orders.previous_order_days_ago > 365
                or floor((orders.previous_order_days_ago - 1) / 30.0) <> floor((orders.days_ago - 1) / 30.0)
            )
        ) as active_months_365d_count,
        count(*) filter (
            where orders.days_ago <= 365 and orders.days_ago > 365 - parameters.churn_horizon_days
        ) as orders_same_season_last_year_count,
        cast(sum(orders.net_revenue) as decimal(38, 4)) as net_revenue,
        cast(sum(orders.rounded_net_revenue) as decimal(38, 2)) as rounded_net_revenue,
        cast(sum(orders.rounded_net_revenue * orders.rounded_net_revenue) as decimal(38, 4)) as squared_net_revenue,
        cast(max(orders.net_revenue) as decimal(18, 4)) as max_order_value,
        cast(max(orders.net_revenue) filter (where orders.is_last_order) as decimal(18, 4)) as last_order_value,
        cast(coalesce(sum(orders.net_revenue) filter (where orders.days_ago <= 30), 0) as decimal(38, 4)) as net_revenue_30d,
        cast(coalesce(sum(orders.net_revenue) filter (where orders.days_ago <= 90), 0) as decimal(38, 4)) as net_revenue_90d,
        cast(coalesce(sum(orders.net_revenue) filter (where orders.days_ago <= 180), 0) as decimal(38, 4)) as net_revenue_180d,
        cast(coalesce(sum(orders.net_revenue) filter (where orders.days_ago <= 365), 0) as decimal(38, 4)) as net_revenue_365d,
        percentile_cont(0.5) within group (order by orders.gap_days) as median_gap_days,
        sum(orders.gap_days * orders.gap_days) as squared_gap_days,
        max(orders.gap_days) as max_gap_days,
        max(orders.gap_days) filter (where orders.days_ago = orders.last_order_days_ago) as last_gap_days,
        count(*) filter (where orders.is_on_weekend) as weekend_orders_count,
        sum(orders.units_count) as units_count,
        sum(orders.products_count) as products_count,
        count(*) filter (where orders.is_discounted) as discounted_orders_count,
        cast(sum(orders.discount_amount) as decimal(38, 4)) as discount_amount,
        max(case when orders.is_last_order and orders.has_refund then 1 else 0 end) = 1 as has_refund_on_last_order
    from orders
    cross join parameters
    group by orders.as_of_date, orders.customer_id
)

select * from order_summaries
