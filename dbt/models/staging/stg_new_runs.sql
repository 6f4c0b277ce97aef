{{ config(materialized='table') }}

with

landed_runs as (
    {%- for relation in [
        source('private', 'customers'),
        source('raw', 'orders'),
        source('raw', 'order_lines'),
        source('raw', 'refunds'),
        source('raw', 'products'),
        source('raw', 'consents')
    ] %}
        {{ 'union all' if not loop.first }}
        select distinct
            '{{ relation.identifier }}' as table_name,
            source,
            run_id
        from {{ relation }}
    {%- endfor %}
),

new_runs as (
    select
        cast(landed_runs.table_name as varchar) as table_name,
        landed_runs.source,
        landed_runs.run_id
    from landed_runs
    where
        not exists (
            select 1
            from {{ source('control', 'staged_rows') }} as staged_rows
            where
                staged_rows.table_name = landed_runs.table_name
                and staged_rows.source = landed_runs.source
                and staged_rows.run_id = landed_runs.run_id
        )
)

select * from new_runs
where {{ unless_built_whole() }}
