{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_changed(ref('int_changed_customers'), ['customer_id']) }}"
    )
}}

with

accounts as (
    select * from {{ ref('stg_accounts') }}
    where superseded_at is null
),

persons as (
    select * from {{ ref('int_account_persons') }} as persons
    {%- if changes_only() %}
        where {{ is_among('persons', ref('int_changed_customers'), ['customer_id']) }}
    {%- endif %}
),

ranked_accounts as (
    select
        persons.customer_id,
        accounts.account_id,
        accounts.email,
        accounts.normalised_email,
        accounts.first_name,
        accounts.last_name,
        accounts.phone,
        accounts.birth_date,
        accounts.postal_code,
        accounts.city,
        accounts.country,
        accounts.registered_at,
        accounts.known_at,
        row_number() over (
            partition by persons.customer_id
            order by
                case when accounts.registered_at is null then 1 else 0 end asc,
                accounts.known_at desc,
                accounts.account_id asc
        ) as account_rank
    from accounts
    inner join persons on accounts.account_id = persons.account_id
),

customers as (
    select
        customer_id,
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
        known_at
    from ranked_accounts
    where account_rank = 1
)

select * from customers
