{#-
The versions of a landed table's records, as the CTE `versions`: every column of the table, and `superseded_at`, the
known_at of the record's next version (null: current). Of versions learned at the same instant the last content_hash
wins, and the others, which nobody ever saw, are left out. Only the few records with several versions are sorted: theirs are
`successive_versions`, those of the others `lasting_versions`. A build of what has changed takes the records of which `changed`, a
condition on the row `landed`, is true: those with new rows.
-#}
{% macro versions(relation, record=['source', 'record_key'], changed=none) -%}
{{ successive_versions(relation, record, changed) }},

lasting_versions as (
    select
        landed.*,
        cast(null as timestamp) as superseded_at
    from {{ 'changed_rows' if changes_only() else relation }} as landed
    where
        not exists (
            select 1
            from changed_records
            where {{ same_record('changed_records', 'landed', record) }}
        )
),

versions as (
    select * from lasting_versions
    union all
    select * from successive_versions
)
{%- endmacro %}

{#- Of the `versions` those of records that have several alone. -#}
{% macro successive_versions(relation, record=['source', 'record_key'], changed=none) -%}
{%- set rows = relation -%}
{%- if changes_only() -%}
{%- set rows = 'changed_rows' -%}
changed_rows as (
    select landed.*
    from {{ relation }} as landed
    where {{ changed or has_new_rows('landed', relation, record) }}
),

{% endif -%}
changed_records as (
    select {{ record | join(', ') }}
    from {{ rows }}
    group by {{ record | join(', ') }}
    having count(*) > 1
),

sorted_versions as (
    select
        landed.*,
        lead(landed.known_at) over (
            partition by landed.{{ record | join(', landed.') }}
            order by landed.known_at, landed.content_hash
        ) as superseded_at
    from {{ rows }} as landed
    inner join changed_records on {{ same_record('landed', 'changed_records', record) }}
),

successive_versions as (
    select * from sorted_versions
    where superseded_at is null or superseded_at > known_at
)
{%- endmacro %}

{% macro same_record(one, other, record) -%}
    {%- for column in record -%}
        {{ one }}.{{ column }} = {{ other }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Whether a version was the valid one at an instant. -#}
{% macro is_known_at(version, instant) -%}
    {{ version }}.known_at <= {{ instant }} and ({{ version }}.superseded_at is null or {{ version }}.superseded_at > {{ instant }})
{%- endmacro %}
