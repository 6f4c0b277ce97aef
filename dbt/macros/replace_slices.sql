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

{#- Deletes the slices of all dates but those of this build, once what is carried over from them has been. -#}
{% macro keep_slices_of_this_build() -%}
    delete from {{ this }}
    where as_of_date not in (select as_of_dates.as_of_date from {{ source('control', 'as_of_dates') }} as as_of_dates)
{%- endmacro %}
