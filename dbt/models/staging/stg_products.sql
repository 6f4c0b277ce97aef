{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('raw', 'products')) }}"
    )
}}

with

{{ versions(source('raw', 'products')) }},

products as (
    select
        source,
        record_key,
        product_id,
        product_name,
        category,
        cost_amount,
        price,
        warranty_days,
        lifespan_days,
        currency,
        known_at,
        superseded_at
    from versions
)

select * from products
