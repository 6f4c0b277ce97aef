-- Without the row every order would vanish, with two every order would count twice.
{{ config(tags=['staging']) }}

with

parameters_rows as (
    select count(*) as rows_count
    from {{ source('control', 'parameters') }}
)

select * from parameters_rows
where rows_count <> 1
