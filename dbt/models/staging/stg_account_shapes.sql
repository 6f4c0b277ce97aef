with

accounts as (
    select * from {{ ref('stg_accounts') }}
),

shapes as (
    select
        account_id,
        length(email) as email_length,
        length(normalised_email) as normalised_email_length,
        length(first_name) as first_name_length,
        length(last_name) as last_name_length,
        length(postal_code) as postal_code_length,
        length(country) as country_length,
        registered_at,
        known_at,
        superseded_at
    from accounts
)

select * from shapes
