{#- What engines spell differently. Everything else in this project is the SQL that they share. -#}

{#- The shop's date at a UTC instant. -#}
{% macro local_date(instant, time_zone) -%}
    {{ adapter.dispatch('local_date', 'regulars')(instant, time_zone) }}
{%- endmacro %}

{% macro default__local_date(instant, time_zone) -%}
    cast(({{ instant }} at time zone 'UTC') at time zone {{ time_zone }} as date)
{%- endmacro %}

{#- Days from 1970-01-01, a Thursday. -#}
{% macro day_number(date) -%}
    {{ adapter.dispatch('day_number', 'regulars')(date) }}
{%- endmacro %}

{% macro default__day_number(date) -%}
    cast({{ date }} - cast('1970-01-01' as date) as bigint)
{%- endmacro %}

{#- Aggregate: the value of the row where a number is largest, of several the first value, among the rows of which a condition holds. -#}
{% macro of_the_largest(value, number, among) -%}
    {{ adapter.dispatch('of_the_largest', 'regulars')(value, number, among) }}
{%- endmacro %}

{% macro default__of_the_largest(value, number, among) -%}
    (array_agg({{ value }} order by {{ number }} desc, {{ value }} asc) filter (where {{ among }}))[1]
{%- endmacro %}

{% macro duckdb__of_the_largest(value, number, among) -%}
    arg_min({{ value }}, (-{{ number }}, {{ value }})) filter (where {{ among }})
{%- endmacro %}

{#- Postgres plans by statistics, which a table just built lacks, and lets nobody read what it was not told. -#}
{% macro after_build() -%}
    {{ adapter.dispatch('after_build', 'regulars')() }}
{%- endmacro %}

{% macro default__after_build() -%}
{%- endmacro %}

{% macro postgres__after_build() -%}
    {%- if model.config.materialized != 'view' %}
    analyze {{ this }};
    {%- endif %}
    {%- if this.schema != 'private' %}
    grant select on {{ this }} to regulars_scorer, regulars_activator, regulars_reader;
    {%- elif this.identifier == 'stg_customers' %}
    grant select on {{ this }} to regulars_activator;
    {%- endif %}
{%- endmacro %}
