{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ delete_but_carried() }}", "{{ carry('as_of_day') }}"]
    )
}}

with

{{ kept_orders(orders=is_computed_for('orders') ~ ' and ' ~ is_drawn('orders')) }},

as_of_orders as (
    select
        *,
        lag(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
        ) as previous_ordered_day,
        lead(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
        ) is null as is_last_order,
        last_value(ordered_day) over (
            partition by as_of_date, customer_id
            order by ordered_at, source, order_id
            rows between unbounded preceding and unbounded following
        ) as last_ordered_day
    from kept_orders
)

select * from as_of_orders
