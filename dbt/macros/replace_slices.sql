{#-
Empties the slices that a model is about to write. The delete+insert strategy alone would leave the old slice of a date
that has no rows any more.
-#}
{% macro replace_slices(condition=none) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where as_of_date in (
            select as_of_dates.as_of_date from {{ source('control', 'as_of_dates') }} as as_of_dates
            {{ 'where ' ~ condition if condition }}
        )
    {%- endif -%}
{%- endmacro %}
