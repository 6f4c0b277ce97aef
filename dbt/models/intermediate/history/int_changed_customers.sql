with

changed_customers as (
    select distinct customer_id
    from {{ ref('int_account_person_periods') }} as person_periods
    where {{ is_among('person_periods', ref('int_changed_accounts'), ['account_id']) }}
)

select * from changed_customers
