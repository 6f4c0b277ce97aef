{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('private', 'customers'), record=['account_id']) }}"
    )
}}

with

{{ versions(source('private', 'customers'), record=['account_id']) }},

accounts as (
    select
        account_id,
        email,
        normalised_email,
        first_name,
        last_name,
        phone,
        birth_date,
        postal_code,
        city,
        country,
        registered_at,
        min(event_at) over (
            partition by account_id
            order by known_at
            range between unbounded preceding and current row
        ) as first_event_at,
        known_at,
        superseded_at
    from versions
)

select * from accounts
