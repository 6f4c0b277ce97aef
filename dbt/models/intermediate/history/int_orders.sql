{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_changed(ref('int_changed_orders'), ['source', 'order_id']) }}"
    )
}}

with

orders as (
    select * from {{ ref('stg_orders') }} as orders
    where
        account_id is not null
        {%- if changes_only() %}
            and {{ is_among('orders', ref('int_changed_orders'), ['source', 'order_id']) }}
        {%- endif %}
),

person_periods as (
    select * from {{ ref('int_account_person_periods') }}
),

customer_orders as (
    select
        orders.source,
        orders.order_id,
        person_periods.customer_id,
        orders.ordered_at,
        {{ day_number('orders.ordered_date') }} as ordered_day,
        {{ day_number('orders.cancelled_date') }} as cancelled_day,
        orders.net_revenue,
        cast(coalesce(orders.discount_amount, 0) as decimal(18, 4)) as discount_amount,
        coalesce(orders.discount_amount, 0) > 0 or coalesce(orders.coupon_code, '') <> '' as is_discounted,
        orders.units_count,
        orders.products_count,
        greatest(orders.known_at, person_periods.known_at) as known_at,
        least(orders.superseded_at, person_periods.superseded_at) as superseded_at
    from orders
    inner join person_periods
        on
            orders.account_id = person_periods.account_id
            and (orders.superseded_at is null or orders.superseded_at > person_periods.known_at)
            and (person_periods.superseded_at is null or orders.known_at < person_periods.superseded_at)
)

select * from customer_orders
