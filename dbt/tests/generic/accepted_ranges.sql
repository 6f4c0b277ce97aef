{#- Each column lies between its two ends, both included; a null end is open, and so is a null value. -#}
{% test accepted_ranges(model, ranges) %}

select *
from {{ model }}
where
    false
    {%- for column, (lowest, highest) in ranges.items() %}
    {%- if lowest is not none %}
    or {{ column }} < {{ lowest }}
    {%- endif %}
    {%- if highest is not none %}
    or {{ column }} > {{ highest }}
    {%- endif %}
    {%- endfor %}

{% endtest %}
