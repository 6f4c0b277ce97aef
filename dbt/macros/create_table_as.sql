{#-
How a model becomes a table in DuckDB. New rows of an incremental model go straight into it: dbt would write them into a temporary table
before. Texts that hardly repeat are not compressed, as in the tables that Python writes (regulars/warehouse/compression.py): to look for what
they have in common takes half of the time of writing.
-#}
{% macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none) -%}
    {%- set is_promised = config.get('contract').enforced -%}
    {%- if model.resource_type != 'model' -%}
        {{ dbt.duckdb__create_table_as(temporary, relation, compiled_code, language, partitioned_by, sorted_by) }}
    {%- elif temporary -%}
        {%- if is_promised %}
            {{ get_assert_columns_equivalent(compiled_code) }}
        {%- endif %}
        create or replace temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        )
    {%- else -%}
        {%- set columns = [] -%}
        {%- if is_promised %}
            {{ get_assert_columns_equivalent(compiled_code) }}
            {%- set columns = adapter.render_raw_columns_constraints(raw_columns=model['columns']) -%}
        {%- else -%}
            {%- for column in run_query('describe ' ~ compiled_code) -%}
                {%- do columns.append('"' ~ column['column_name'] ~ '" ' ~ column['column_type']) -%}
            {%- endfor -%}
        {%- endif -%}
        create table {{ relation }} (
        {%- for column in columns %}
            {{ column }}
            {%- if column.split(' ')[0] | replace('"', '') in hardly_repeating() %} using compression uncompressed{% endif %}
            {{- ',' if not loop.last }}
        {%- endfor %}
        );
        insert into {{ relation }} (
            {{ get_select_subquery(compiled_code) if is_promised else compiled_code }}
        )
    {%- endif -%}
{%- endmacro %}

{% macro hardly_repeating() -%}
    {{ return(['record_key', 'order_id', 'line_id', 'refund_id', 'account_id', 'customer_id', 'email', 'normalised_email', 'phone']) }}
{%- endmacro %}
