with

changed_orders as (
    select
        source,
        order_id
    from {{ ref('stg_changed_orders') }}
    union
    select
        orders.source,
        orders.order_id
    from {{ ref('stg_orders') }} as orders
    where {{ is_among('orders', ref('int_changed_accounts'), ['account_id']) }}
)

select * from changed_orders
