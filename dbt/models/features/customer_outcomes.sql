{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        full_refresh=false,
        pre_hook="{{ replace_slices(\"purpose in ('training', 'outcomes')\") }}"
    )
}}

with

parameters as (
    select * from {{ source('control', 'parameters') }}
),

horizons as (
    select churn_horizon_days as horizon_days from parameters
    union
    select value_horizon_days as horizon_days from parameters
),

-- Of a horizon that has not passed, the part that has: what is expected of any horizon makes windows comparable.
windows as (
    select distinct
        as_of_dates.as_of_date,
        as_of_dates.sampled_below,
        least(
            horizons.horizon_days,
            {{ day_number('parameters.outcomes_until') }} - {{ day_number('as_of_dates.as_of_date') }}
        ) as horizon_days
    from {{ source('control', 'as_of_dates') }} as as_of_dates
    cross join horizons
    cross join parameters
    where as_of_dates.purpose in ('training', 'outcomes')
),

past_horizons as (
    select
        as_of_date,
        horizon_days,
        sampled_below,
        {{ day_number('as_of_date') }} as first_day,
        {{ day_number('as_of_date') }} + horizon_days as end_day
    from windows
    where horizon_days > 0
),

customers as (
    select
        past_horizons.as_of_date,
        past_horizons.horizon_days,
        customer_features.customer_id,
        persons.customer_id as person_id
    from past_horizons
    inner join {{ ref('customer_features') }} as customer_features
        on
            past_horizons.as_of_date = customer_features.as_of_date
            and {{ is_drawn('customer_features', 'past_horizons') }}
    inner join {{ ref('int_account_persons') }} as persons
        on customer_features.customer_id = persons.account_id
),

-- Of these customers, before they are multiplied by the horizons.
wanted_orders as (
    select orders.*
    from {{ ref('int_orders') }} as orders
    where orders.customer_id in (select customers.person_id from customers)
),

refunds as (
    select
        past_horizons.as_of_date,
        past_horizons.horizon_days,
        allocations.source,
        allocations.order_id,
        cast(sum(allocations.amount) as decimal(18, 4)) as amount,
        cast(sum(coalesce(allocations.quantity, 0)) as bigint) as units_count
    from {{ ref('int_refund_allocations') }} as allocations
    inner join past_horizons on allocations.refunded_day < past_horizons.end_day
    where
        allocations.superseded_at is null
        and exists (
            select 1
            from wanted_orders
            where allocations.source = wanted_orders.source and allocations.order_id = wanted_orders.order_id
        )
    group by past_horizons.as_of_date, past_horizons.horizon_days, allocations.source, allocations.order_id
),

placed_orders as (
    select
        past_horizons.as_of_date,
        past_horizons.horizon_days,
        orders.*
    from wanted_orders as orders
    cross join past_horizons
    where
        coalesce(
            orders.ordered_day >= past_horizons.first_day
            and orders.ordered_day < past_horizons.end_day
            and (orders.cancelled_day is null or orders.cancelled_day >= past_horizons.end_day)
            and orders.superseded_at is null,
            false
        )
),

kept_orders as (
    select
        orders.as_of_date,
        orders.horizon_days,
        orders.customer_id,
        cast(orders.net_revenue - coalesce(refunds.amount, 0) as decimal(18, 4)) as net_revenue
    from placed_orders as orders
    left join refunds
        on
            orders.as_of_date = refunds.as_of_date
            and orders.horizon_days = refunds.horizon_days
            and orders.source = refunds.source
            and orders.order_id = refunds.order_id
    where {{ is_left_with_something('orders', 'refunds') }}
),

order_summaries as (
    select
        as_of_date,
        horizon_days,
        customer_id,
        count(*) as orders_count,
        sum(net_revenue) as net_revenue
    from kept_orders
    group by as_of_date, horizon_days, customer_id
),

customer_outcomes as (
    select
        cast(customers.customer_id as varchar) as customer_id,
        cast(customers.as_of_date as date) as as_of_date,
        cast(customers.horizon_days as bigint) as horizon_days,
        cast(coalesce(order_summaries.orders_count, 0) as bigint) as orders_count,
        order_summaries.orders_count is null as has_churned,
        cast(coalesce(order_summaries.net_revenue, 0) as double precision) as net_revenue
    from customers
    left join order_summaries
        on
            customers.as_of_date = order_summaries.as_of_date
            and customers.horizon_days = order_summaries.horizon_days
            and customers.person_id = order_summaries.customer_id
)

select * from customer_outcomes
