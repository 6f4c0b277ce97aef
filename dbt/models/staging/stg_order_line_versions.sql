{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('raw', 'order_lines')) }}"
    )
}}

with

{{ successive_versions(source('raw', 'order_lines')) }},

order_lines as (
    select
        source,
        record_key,
        order_id,
        line_id,
        account_id,
        ordered_at,
        product_id,
        product_name,
        category,
        quantity,
        unit_price,
        net_revenue,
        discount_amount,
        currency,
        file,
        line,
        known_at,
        superseded_at
    from successive_versions
)

select * from order_lines
