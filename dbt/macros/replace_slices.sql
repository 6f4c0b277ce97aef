{#- Empties the slices that a model is about to write, that of a date that has no rows any more too. -#}
{% macro replace_slices(condition) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where as_of_date in (
            select as_of_dates.as_of_date from {{ source('control', 'as_of_dates') }} as as_of_dates
            where {{ condition }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Whether a row's customer is computed: all of them, unless the as_of_date is carried from one that stands. -#}
{% macro is_computed_for(row) -%}
    {%- if changes_only() -%}
        (as_of_dates.carried_from is null or {{ is_among(row, ref('int_moved_customers'), ['customer_id']) }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Whether a row's customer is one of those that are drawn for a training, or the as_of_date wants all of them. -#}
{% macro is_drawn(row, dates='as_of_dates') -%}
    ({{ dates }}.sampled_below is null or substr(md5({{ row }}.customer_id), 1, 4) < {{ dates }}.sampled_below)
{%- endmacro %}

{#-
Hooks before a model that holds the as_of_dates of one build, a row of which depends on its customer alone. Of the slice that a night is
carried from stay the rows of customers who have not moved, and become the night's; all other rows are deleted.
-#}
{% macro delete_but_carried() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            as_of_date not in (
                select as_of_dates.carried_from from {{ source('control', 'as_of_dates') }} as as_of_dates
                where as_of_dates.carried_from is not null
            )
            or {{ is_among(this.identifier, ref('int_moved_customers'), ['customer_id']) }}
    {%- endif -%}
{%- endmacro %}

{% macro carry(days=none) -%}
    {%- if is_incremental() -%}
        update {{ this }}
        set
            as_of_date = as_of_dates.as_of_date
            {%- if days %}, {{ days }} = {{ day_number('as_of_dates.as_of_date') }}{% endif %}
        from {{ source('control', 'as_of_dates') }} as as_of_dates
        where {{ this.identifier }}.as_of_date = as_of_dates.carried_from
    {%- endif -%}
{%- endmacro %}
