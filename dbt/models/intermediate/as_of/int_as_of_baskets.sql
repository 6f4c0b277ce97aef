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

customer_products as (
    select
        as_of_date,
        customer_id,
        count(*) as distinct_products_count,
        sum(net_revenue) as net_revenue
    from products
    group by as_of_date, customer_id
),

categories as (
    select
        as_of_date,
        customer_id,
        category,
        sum(net_revenue) as net_revenue,
        sum(last_order_net_revenue) as last_order_net_revenue,
        max(is_in_last_order) as is_in_last_order
    from products
    where category is not null
    group by as_of_date, customer_id, category
),

ranked_categories as (
    select
        *,
        row_number() over (
            partition by as_of_date, customer_id
            order by net_revenue desc, category asc
        ) as category_rank,
        row_number() over (
            partition by as_of_date, customer_id
            order by is_in_last_order desc, last_order_net_revenue desc, category asc
        ) as last_order_category_rank
    from categories
),

customer_categories as (
    select
        as_of_date,
        customer_id,
        count(*) as distinct_categories_count,
        max(case when category_rank = 1 then category end) as top_category,
        max(case when category_rank = 1 then net_revenue end) as top_category_net_revenue,
        max(case when last_order_category_rank = 1 and is_in_last_order = 1 then category end) as last_category
    from ranked_categories
    group by as_of_date, customer_id
),

baskets as (
    select
        customer_products.as_of_date,
        customer_products.customer_id,
        customer_products.distinct_products_count,
        coalesce(customer_categories.distinct_categories_count, 0) as distinct_categories_count,
        customer_categories.top_category,
        case
            when customer_products.net_revenue > 0 and customer_categories.top_category is not null
                then greatest(
                    least(
                        cast(customer_categories.top_category_net_revenue as double precision)
                        / cast(customer_products.net_revenue as double precision),
                        1
                    ),
                    0
                )
        end as top_category_share,
        customer_categories.last_category
    from customer_products
    left join customer_categories
        on
            customer_products.as_of_date = customer_categories.as_of_date
            and customer_products.customer_id = customer_categories.customer_id
)

select * from baskets
