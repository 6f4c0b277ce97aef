{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_changed(ref('int_changed_accounts'), ['account_id']) }}"
    )
}}

with

accounts as (
    select
        account_id,
        normalised_email,
        first_event_at,
        known_at,
        superseded_at
    from {{ ref('stg_accounts') }}
    {%- if changes_only() %}
        where
            {{ is_among('stg_accounts', ref('int_changed_accounts'), ['account_id']) }}
            or normalised_email in (
                select sharers.normalised_email
                from {{ ref('stg_accounts') }} as sharers
                where {{ is_among('sharers', ref('int_changed_accounts'), ['account_id']) }}
            )
    {%- endif %}
),

all_accounts as (
    {%- for relation in [ref('stg_accounts'), ref('stg_orders'), ref('stg_refunds'), ref('stg_consents')] %}
        {{ 'union' if not loop.first }}
        select account_id
        from {{ relation }} as named
        where
            account_id is not null
            {%- if changes_only() %}
                and {{ is_among('named', ref('int_changed_accounts'), ['account_id']) }}
            {%- endif %}
    {%- endfor %}
),

shared_addresses as (
    select normalised_email
    from accounts
    where normalised_email is not null
    group by normalised_email
    having min(account_id) <> max(account_id)
),

sharers as (
    select accounts.*
    from accounts
    inner join shared_addresses on accounts.normalised_email = shared_addresses.normalised_email
),

moments as (
    select
        normalised_email,
        known_at
    from sharers
    union
    select
        normalised_email,
        superseded_at as known_at
    from sharers
    where superseded_at is not null
),

sharers_at_moments as (
    select
        sharers.account_id,
        moments.known_at,
        first_value(sharers.account_id) over (
            partition by moments.normalised_email, moments.known_at
            order by sharers.first_event_at, sharers.account_id
        ) as customer_id
    from moments
    inner join sharers
        on
            moments.normalised_email = sharers.normalised_email
            and {{ is_known_at('sharers', 'moments.known_at') }}
),

sharing_accounts as (
    select distinct account_id from sharers
),

-- An account is its own person until an address says otherwise, and again while it shares none.
assignments as (
    select
        account_id,
        cast('0001-01-01' as timestamp) as known_at,
        account_id as customer_id
    from all_accounts
    where account_id in (select sharing_accounts.account_id from sharing_accounts)
    union all
    select
        accounts.account_id,
        accounts.known_at,
        accounts.account_id as customer_id
    from accounts
    where
        accounts.account_id in (select sharing_accounts.account_id from sharing_accounts)
        and not exists (
            select 1
            from shared_addresses
            where shared_addresses.normalised_email = accounts.normalised_email
        )
    union all
    select
        account_id,
        known_at,
        customer_id
    from sharers_at_moments
),

compared_assignments as (
    select
        account_id,
        known_at,
        customer_id,
        lag(customer_id) over (
            partition by account_id
            order by known_at
        ) as previous_customer_id
    from assignments
    {%- if changes_only() %}
        where {{ is_among('assignments', ref('int_changed_accounts'), ['account_id']) }}
    {%- endif %}
),

periods as (
    select
        account_id,
        customer_id,
        known_at,
        lead(known_at) over (
            partition by account_id
            order by known_at
        ) as superseded_at
    from compared_assignments
    where previous_customer_id is null or previous_customer_id <> customer_id
    union all
    select
        account_id,
        account_id as customer_id,
        cast('0001-01-01' as timestamp) as known_at,
        cast(null as timestamp) as superseded_at
    from all_accounts
    where
        not exists (
            select 1
            from sharing_accounts
            where sharing_accounts.account_id = all_accounts.account_id
        )
)

select * from periods
