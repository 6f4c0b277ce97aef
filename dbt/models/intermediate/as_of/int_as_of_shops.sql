{{ config(materialized='table') }}

with

-- Where customers are drawn, the shop is still that of all of them.
{{ kept_orders(dates='sampled_below is not null') }},

order_days as (
    select
        as_of_date,
        customer_id,
        ordered_day,
        count(*) as orders_count,
        sum(net_revenue) as net_revenue
    from kept_orders
    group by as_of_date, customer_id, ordered_day
),

customers as (
    select
        as_of_date,
        customer_id,
        max(ordered_day) - min(ordered_day) as active_span_days,
        count(*) - 1 as gaps_count,
        sum(orders_count) as orders_count,
        sum(net_revenue) as net_revenue
    from order_days
    group by as_of_date, customer_id
    union all
    select
        summaries.as_of_date,
        summaries.customer_id,
        summaries.last_ordered_day - summaries.first_ordered_day as active_span_days,
        summaries.gaps_count,
        summaries.orders_count,
        summaries.net_revenue
    from {{ ref('int_as_of_summaries') }} as summaries
    inner join {{ source('control', 'as_of_dates') }} as as_of_dates on summaries.as_of_date = as_of_dates.as_of_date
    where as_of_dates.sampled_below is null
),

shops as (
    select
        as_of_date,
        cast(count(*) as bigint) as customers_count,
        cast(sum(orders_count) as bigint) as orders_count,
        cast(sum(gaps_count) as bigint) as gaps_count,
        cast(sum(active_span_days) as bigint) as active_span_days,
        cast(sum(net_revenue) as decimal(38, 4)) as net_revenue
    from customers
    group by as_of_date
)

select * from shops
