{{ config(materialized='table') }}

with

nights as (
    select
        {{ day_number('as_of_date') }} as as_of_day,
        known_until,
        {{ day_number('carried_from') }} as carried_day,
        carried_known_until
    from {{ source('control', 'as_of_dates') }}
    where carried_from is not null
),

moved_orders as (
    select
        orders.source,
        orders.order_id
    from {{ ref('int_orders') }} as orders
    cross join nights
    where
        {{ is_placed_before('orders', 'nights.as_of_day', 'nights.known_until') }}
        <> {{ is_placed_before('orders', 'nights.carried_day', 'nights.carried_known_until') }}
    union
    select
        order_lines.source,
        order_lines.order_id
    from {{ ref('stg_order_lines') }} as order_lines
    cross join nights
    where
        ({{ is_known_at('order_lines', 'nights.known_until') }})
        <> ({{ is_known_at('order_lines', 'nights.carried_known_until') }})
    union
    select
        allocations.source,
        allocations.order_id
    from {{ ref('int_refund_allocations') }} as allocations
    cross join nights
    where
        (allocations.refunded_day < nights.as_of_day and {{ is_known_at('allocations', 'nights.known_until') }})
        <> (allocations.refunded_day < nights.carried_day and {{ is_known_at('allocations', 'nights.carried_known_until') }})
),

-- Of how many days ago an order was, the summaries keep only on which side of these bounds it lies.
bounds as (
    {%- for days_ago in [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 360, 365] %}
        {{ 'union all' if not loop.first }}
        select {{ days_ago }} as days_ago
    {%- endfor %}
    union all
    select 365 - churn_horizon_days as days_ago from {{ source('control', 'parameters') }}
),

crossings as (
    select
        nights.carried_day - bounds.days_ago as first_day,
        nights.as_of_day - bounds.days_ago as end_day
    from nights
    cross join bounds
),

aged_orders as (
    select orders.customer_id
    from {{ ref('int_orders') }} as orders
    inner join crossings on orders.ordered_day >= crossings.first_day and orders.ordered_day < crossings.end_day
),

moved_products as (
    select distinct
        products.source,
        products.product_id
    from {{ ref('stg_products') }} as products
    cross join nights
    where
        ({{ is_known_at('products', 'nights.known_until') }})
        <> ({{ is_known_at('products', 'nights.carried_known_until') }})
),

orders_of_moved_products as (
    select distinct
        order_lines.source,
        order_lines.order_id
    from {{ ref('stg_order_lines') }} as order_lines
    inner join moved_products
        on order_lines.source = moved_products.source and order_lines.product_id = moved_products.product_id
),

moved_customers as (
    select orders.customer_id
    from {{ ref('int_orders') }} as orders
    inner join moved_orders on orders.source = moved_orders.source and orders.order_id = moved_orders.order_id
    union
    select orders.customer_id
    from {{ ref('int_orders') }} as orders
    inner join orders_of_moved_products as moved on orders.source = moved.source and orders.order_id = moved.order_id
    union
    select customer_id from aged_orders
)

select * from moved_customers
