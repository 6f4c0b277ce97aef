{{ config(materialized='table') }}

with

orders as (
    select
        source,
        order_id
    from {{ source('raw', 'orders') }} as orders
    where {{ has_new_rows('orders', source('raw', 'orders'), ['source', 'record_key']) }}
),

order_lines as (
    select
        source,
        order_id
    from {{ source('raw', 'order_lines') }} as order_lines
    where {{ has_new_rows('order_lines', source('raw', 'order_lines'), ['source', 'record_key']) }}
),

changed_orders as (
    select * from orders
    union
    select * from order_lines
)

select * from changed_orders
where {{ unless_built_whole() }}
