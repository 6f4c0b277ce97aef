{{ config(materialized='view') }}

with

persons as (
    select
        account_id,
        customer_id
    from {{ ref('int_account_person_periods') }}
    where superseded_at is null
)

select * from persons
