{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ delete_but_carried() }}", "{{ carry('as_of_day') }}"]
    )
}}

with

-- Where every date wants some customers alone.
any_date as (
    select case when count(*) = count(sampled_below) then max(sampled_below) end as sampled_below
    from {{ source('control', 'as_of_dates') }}
    where purpose <> 'outcomes'
),

drawn_orders as (
    select orders.*
    from {{ ref('int_orders') }} as orders
    cross join any_date
    where {{ is_drawn('orders', 'any_date') }}
),

{{ kept_orders(orders=is_computed_for('orders') ~ ' and ' ~ is_drawn('orders'), read_from='drawn_orders') }},

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
