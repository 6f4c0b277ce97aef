{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ delete_but_carried() }}", "{{ carry() }}"]
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
    where purpose <> 'outcomes'
),

as_of_orders as (
    select
        as_of_orders.as_of_date,
        as_of_dates.as_of_day,
        as_of_dates.known_until,
        as_of_orders.customer_id,
        as_of_orders.source,
        as_of_orders.order_id,
        as_of_orders.is_last_order,
        as_of_orders.has_refund
    from {{ ref('int_as_of_orders') }} as as_of_orders
    inner join as_of_dates on as_of_orders.as_of_date = as_of_dates.as_of_date
    where {{ is_computed_for('as_of_orders') }}
),

-- What was bought, and with the sign turned what of it came back.
movements as (
    select
        as_of_orders.as_of_date,
        as_of_orders.customer_id,
        as_of_orders.source,
        order_lines.product_id,
        as_of_orders.is_last_order,
        order_lines.category,
        order_lines.quantity,
        order_lines.net_revenue,
        false as is_refund
    from as_of_orders
    inner join {{ ref('stg_order_lines') }} as order_lines
        on
            as_of_orders.source = order_lines.source
            and as_of_orders.order_id = order_lines.order_id
            and {{ is_known_at('order_lines', 'as_of_orders.known_until') }}
    where order_lines.product_id is not null
    union all
    select
        as_of_orders.as_of_date,
        as_of_orders.customer_id,
        as_of_orders.source,
        allocations.product_id,
        as_of_orders.is_last_order,
        cast(null as varchar) as category,
        -coalesce(allocations.quantity, 0) as quantity,
        -allocations.amount as net_revenue,
        true as is_refund
    from as_of_orders
    inner join {{ ref('int_refund_allocations') }} as allocations
        on
            as_of_orders.source = allocations.source
            and as_of_orders.order_id = allocations.order_id
            and as_of_orders.as_of_day > allocations.refunded_day
            and {{ is_known_at('allocations', 'as_of_orders.known_until') }}
    where as_of_orders.has_refund and allocations.product_id is not null
),

product_totals as (
    select
        as_of_date,
        customer_id,
        source,
        product_id,
        max(category) as category,
        sum(net_revenue) as net_revenue,
        sum(case when is_last_order then net_revenue else 0 end) as last_order_net_revenue,
        max(case when is_last_order and not is_refund then 1 else 0 end) as is_in_last_order
    from movements
    group by as_of_date, customer_id, source, product_id
    having sum(quantity) > 0 or max(case when is_refund then 1 else 0 end) = 0
),

product_categories as (
    select
        as_of_dates.as_of_date,
        products.source,
        products.product_id,
        max(products.category) as category
    from {{ ref('stg_products') }} as products
    inner join as_of_dates on {{ is_known_at('products', 'as_of_dates.known_until') }}
    where products.category is not null
    group by as_of_dates.as_of_date, products.source, products.product_id
),

products as (
    select
        product_totals.as_of_date,
        product_totals.customer_id,
        product_totals.product_id,
        coalesce(product_totals.category, product_categories.category) as category,
        product_totals.net_revenue,
        product_totals.last_order_net_revenue,
        product_totals.is_in_last_order
    from product_totals
    left join product_categories
        on
            product_totals.as_of_date = product_categories.as_of_date
            and product_totals.source = product_categories.source
            and product_totals.product_id = product_categories.product_id
),

categories as (
    select
        as_of_date,
        customer_id,
        category,
        count(*) as products_count,
        sum(net_revenue) as net_revenue,
        sum(last_order_net_revenue) as last_order_net_revenue,
        max(is_in_last_order) as is_in_last_order
    from products
    group by as_of_date, customer_id, category
),

customers as (
    select
        as_of_date,
        customer_id,
        cast(sum(products_count) as bigint) as distinct_products_count,
        count(category) as distinct_categories_count,
        sum(net_revenue) as net_revenue,
        max(net_revenue) filter (where category is not null) as top_category_net_revenue,
        {{ of_the_largest('category', 'net_revenue', 'category is not null') }} as top_category,
        {{ of_the_largest('category', 'last_order_net_revenue', 'category is not null and is_in_last_order = 1') }} as last_category
    from categories
    group by as_of_date, customer_id
),

baskets as (
    select
        as_of_date,
        customer_id,
        distinct_products_count,
        distinct_categories_count,
        top_category,
        case
            when net_revenue > 0 and top_category is not null
                then greatest(
                    least(
                        cast(top_category_net_revenue as double precision) / cast(net_revenue as double precision),
                        1
                    ),
                    0
                )
        end as top_category_share,
        last_category
    from customers
)

select * from baskets
