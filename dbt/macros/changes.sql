{#-
What a build of staging has to compute anew. Raw only grows, so what has changed follows from the rows that came since the last
whole build: control.staged_rows names the runs, sources and tables whose rows the tables of staging hold already, stg_new_runs the
others. A model deletes the keys that have new rows and computes them again from all their rows; the others stand as a build of
everything would make them.
-#}

{#- Whether only what has changed is computed. Unit tests compute everything; the parser is to see what else a model reads. -#}
{% macro changes_only() -%}
    {{ return(not execute or (model.resource_type == 'model' and is_incremental())) }}
{%- endmacro %}

{#-
Whether a landed row is not yet in the tables of staging. Runs are landed one after the other, so that asked for those that are new, and
not for all but the old ones, an engine need not look at the old rows.
-#}
{% macro is_new(row, relation) -%}
exists (
    select 1
    from {{ ref('stg_new_runs') }} as new_runs
    where
        new_runs.table_name = '{{ relation.identifier }}'
        and new_runs.source = {{ row }}.source
        and new_runs.run_id = {{ row }}.run_id
)
{%- endmacro %}

{#- Whether a row's record has rows that are new. -#}
{% macro has_new_rows(row, relation, record) -%}
exists (
    select 1
    from {{ relation }} as new_rows
    where {{ same_record('new_rows', row, record) }} and {{ is_new('new_rows', relation) }}
)
{%- endmacro %}

{#- Whether a row's key stands in a relation of changed keys. -#}
{% macro is_among(row, relation, key) -%}
exists (
    select 1
    from {{ relation }} as changed
    where {{ same_record('changed', row, key) }}
)
{%- endmacro %}

{#- Deletes the records that have new rows. -#}
{% macro delete_new(relation, record=['source', 'record_key']) -%}
    {%- if changes_only() -%}
        delete from {{ this }} where {{ has_new_rows(this.identifier, relation, record) }}
    {%- endif -%}
{%- endmacro %}

{#- Deletes the rows whose key stands in a relation of changed keys. -#}
{% macro delete_changed(relation, key) -%}
    {%- if changes_only() -%}
        delete from {{ this }} where {{ is_among(this.identifier, relation, key) }}
    {%- endif -%}
{%- endmacro %}

{#- In a build of everything, every key is computed anyway, and none needs to be listed as changed. -#}
{% macro unless_built_whole() -%}
    {{ 'false' if flags.FULL_REFRESH else 'true' }}
{%- endmacro %}

{#- For a data test: the rows that this build has computed. The others were tested when they were. -#}
{% macro is_computed_now(row, relation, key) -%}
    {{ 'true' if flags.FULL_REFRESH else is_among(row, relation, key) }}
{%- endmacro %}
