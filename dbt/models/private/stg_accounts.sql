{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_new(source('private', 'customers'), record=['account_id']) }}"
    )
}}

with

{{ versions(source('private', 'customers'), record=['account_id']) }},

-- Nearly every account has one version, which needs no window.
events as (
    select
        *,
        event_at as first_event_at
    from lasting_versions
    union all
    select
        *,
        min(event_at) over (
            partition by account_id
            order by known_at
            range between unbounded preceding and current row
        ) as first_event_at
    from successive_versions
),

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
        first_event_at,
        known_at,
        superseded_at
    from events
)

select * from accounts
