{{ config(materialized='table') }}

with

/*
Where customers are drawn, the shop is still that of all of them. An order that was known at the first date after it, and of which
nothing was cancelled, changed or refunded, counts on every date after it: of customers who have no others, all dates are sums over
the days before them. Of the others every date is looked at by itself.
*/
days as (
    select
        orders.ordered_day,
        min(as_of_dates.known_until) as known_until
    from (select distinct ordered_day from {{ ref('int_orders') }}) as orders
    inner join {{ source('control', 'as_of_dates') }} as as_of_dates
        on orders.ordered_day < {{ day_number('as_of_dates.as_of_date') }}
    where as_of_dates.purpose <> 'outcomes' and as_of_dates.sampled_below is not null
    group by orders.ordered_day
),

unsettled_customers as (
    select orders.customer_id
    from {{ ref('int_orders') }} as orders
    inner join days on orders.ordered_day = days.ordered_day
    where orders.cancelled_day is not null or orders.superseded_at is not null or orders.known_at > days.known_until
    union
    select orders.customer_id
    from {{ ref('int_orders') }} as orders
    inner join {{ ref('int_refund_allocations') }} as allocations
        on orders.source = allocations.source and orders.order_id = allocations.order_id
),

settled_days as (
    select
        orders.customer_id,
        orders.ordered_day,
        orders.ordered_day - lag(orders.ordered_day) over (
            partition by orders.customer_id
            order by orders.ordered_day
        ) as gap_days,
        count(*) as orders_count,
        sum(orders.net_revenue) as net_revenue
    from {{ ref('int_orders') }} as orders
    inner join days on orders.ordered_day = days.ordered_day
    where
        not exists (
            select 1
            from unsettled_customers
            where orders.customer_id = unsettled_customers.customer_id
        )
    group by orders.customer_id, orders.ordered_day
),

settled as (
    select
        ordered_day,
        count(*) - count(gap_days) as customers_count,
        count(gap_days) as gaps_count,
        sum(gap_days) as active_span_days,
        sum(orders_count) as orders_count,
        sum(net_revenue) as net_revenue
    from settled_days
    group by ordered_day
),

unsettled_orders as (
    select orders.*
    from {{ ref('int_orders') }} as orders
    inner join unsettled_customers on orders.customer_id = unsettled_customers.customer_id
),

{{ kept_orders(dates='sampled_below is not null', read_from='unsettled_orders') }},

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
        as_of_dates.as_of_date,
        settled.customers_count,
        settled.active_span_days,
        settled.gaps_count,
        settled.orders_count,
        settled.net_revenue
    from as_of_dates
    inner join settled on as_of_dates.as_of_day > settled.ordered_day
    union all
    select
        as_of_date,
        1 as customers_count,
        max(ordered_day) - min(ordered_day) as active_span_days,
        count(*) - 1 as gaps_count,
        sum(orders_count) as orders_count,
        sum(net_revenue) as net_revenue
    from order_days
    group by as_of_date, customer_id
    union all
    select
        summaries.as_of_date,
        1 as customers_count,
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
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(orders_count) as bigint) as orders_count,
        cast(sum(gaps_count) as bigint) as gaps_count,
        cast(coalesce(sum(active_span_days), 0) as bigint) as active_span_days,
        cast(sum(net_revenue) as decimal(38, 4)) as net_revenue
    from customers
    group by as_of_date
)

select * from shops
