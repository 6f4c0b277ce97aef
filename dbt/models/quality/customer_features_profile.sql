{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='fail',
        full_refresh=false,
        pre_hook="{{ replace_slices(\"purpose = 'night'\") }}"
    )
}}

with

nights as (
    select as_of_date from {{ source('control', 'as_of_dates') }}
    where purpose = 'night'
),

profiles as (
    {{ column_profiles(ref('customer_features'), 'nights', key='customer_id', slice='as_of_date') }}
)

select * from profiles
