{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('raw', 'consents')) }}"
    )
}}

with

{{ versions(source('raw', 'consents')) }},

consents as (
    select
        source,
        record_key,
        account_id,
        channel,
        status,
        changed_at,
        consent_source,
        known_at,
        superseded_at
    from versions
)

select * from consents
