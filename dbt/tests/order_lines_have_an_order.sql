-- Of a source with orders, the lines of an order that is not there. Their revenue is missing, perhaps because the order stands in
-- quarantine: worth a look, no reason to stop the night.
{{ config(severity='warn') }}

with

missing_orders as (
    select distinct
        order_lines.source,
        order_lines.order_id
    from {{ ref('stg_order_lines') }} as order_lines
    left join {{ ref('stg_orders') }} as orders
        on order_lines.source = orders.source and order_lines.order_id = orders.order_id
    where
        order_lines.superseded_at is null
        and orders.order_id is null
        and {{ is_computed_now('order_lines', ref('stg_changed_orders'), ['source', 'order_id']) }}
)

select * from missing_orders
