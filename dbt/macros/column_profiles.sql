{#-
One row per slice and column of a model with a contract, and one for the whole slice (column_name = '*', whose
distinct_count counts the keys, exactly). A slice without rows has its row '*' too. Booleans count as 0 and 1; of text and
dates only the counts are given.
-#}
{% macro column_profiles(relation, slices, key, slice) -%}
    {%- set columns = {} -%}
    {%- for node in (graph.nodes.values() if execute else []) if node.resource_type == 'model' and node.name == relation.identifier -%}
        {%- do columns.update(node.columns) -%}
    {%- endfor -%}
    select
        slices.{{ slice }},
        cast('*' as varchar) as column_name,
        count(profiled.{{ key }}) as rows_count,
        cast(0 as double precision) as null_share,
        cast(null as double precision) as min,
        cast(null as double precision) as max,
        cast(null as double precision) as mean,
        cast(null as double precision) as p05,
        cast(null as double precision) as p50,
        cast(null as double precision) as p95,
        count(distinct profiled.{{ key }}) as distinct_count
    from {{ slices }} as slices
    left join {{ relation }} as profiled on slices.{{ slice }} = profiled.{{ slice }}
    group by slices.{{ slice }}
    {%- for column in columns.values() if column.name != slice %}
    {%- set number = {
        'bigint': 'profiled.' ~ column.name,
        'double precision': 'profiled.' ~ column.name,
        'boolean': 'cast(profiled.' ~ column.name ~ ' as integer)'
    }.get(column.data_type) %}
    union all
    select
        profiled.{{ slice }},
        cast('{{ column.name }}' as varchar) as column_name,
        count(*) as rows_count,
        cast(count(*) - count(profiled.{{ column.name }}) as double precision) / count(*) as null_share,
        {%- if number %}
        cast(min({{ number }}) as double precision) as min,
        cast(max({{ number }}) as double precision) as max,
        cast(avg(cast({{ number }} as decimal(38, 6))) as double precision) as mean,
        {%- for quantile in [0.05, 0.5, 0.95] %}
        cast(percentile_cont({{ quantile }}) within group (order by {{ number }}) as double precision) as p{{ '%02d' % (quantile * 100) }},
        {%- endfor %}
        {%- else %}
        {%- for statistic in ['min', 'max', 'mean', 'p05', 'p50', 'p95'] %}
        cast(null as double precision) as {{ statistic }},
        {%- endfor %}
        {%- endif %}
        {{ distinct_count('profiled.' ~ column.name) }} as distinct_count
    from {{ relation }} as profiled
    inner join {{ slices }} as slices on profiled.{{ slice }} = slices.{{ slice }}
    group by profiled.{{ slice }}
    {%- endfor %}
{%- endmacro %}
