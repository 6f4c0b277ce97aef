{#-
How a model becomes a table in DuckDB. New rows of an incremental model go straight into it: dbt would write them into a temporary table
before. Texts that hardly repeat are not compressed, as in raw (regulars/warehouse/duckdb.py, UNCOMPRESSED): to look for what they have in common takes half of the time of writing.
-#}
{% macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none) -%}
    {%- if model.resource_type != 'model' or (config.get('contract').enforced and not temporary) -%}
        {{ dbt.duckdb__create_table_as(temporary, relation, compiled_code, language, partitioned_by, sorted_by) }}
    {%- elif temporary -%}
        {%- if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(compiled_code) }}
        {%- endif %}
        create or replace temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        )
    {%- else -%}
        {%- set columns = run_query('describe ' ~ compiled_code) -%}
        create table {{ relation }} (
        {%- for column in columns %}
            "{{ column['column_name'] }}" {{ column['column_type'] }}
            {%- if column['column_name'] in hardly_repeating() %} using compression uncompressed{% endif %}
            {{- ',' if not loop.last }}
        {%- endfor %}
        );
        insert into {{ relation }} (
            {{ compiled_code }}
        )
    {%- endif -%}
{%- endmacro %}

{% macro hardly_repeating() -%}
    {{ return(['record_key', 'order_id', 'line_id', 'refund_id', 'account_id', 'customer_id', 'email', 'normalised_email', 'phone']) }}
{%- endmacro %}
