{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('raw', 'refunds')) }}"
    )
}}

with

{{ versions(source('raw', 'refunds')) }},

parameters as (
    select time_zone from {{ source('control', 'parameters') }}
),

refunds as (
    select
        versions.source,
        versions.record_key,
        versions.refund_id,
        versions.order_id,
        versions.line_id,
        versions.account_id,
        versions.product_id,
        versions.quantity,
        versions.unit_price,
        versions.amount,
        versions.refunded_at,
        {{ local_date('versions.refunded_at', 'parameters.time_zone') }} as refunded_date,
        versions.reason,
        versions.match_within_days,
        versions.currency,
        versions.file,
        versions.line,
        versions.known_at,
        versions.superseded_at
    from versions
    cross join parameters
)

select * from refunds
