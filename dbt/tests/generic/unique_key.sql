{#-
Several columns together identify a row, and none of them is null. Of a table that a build changes in parts, `changed` tells the
keys that it has computed, and `changed_key` their columns.
-#}
{% test unique_key(model, columns, changed=none, changed_key=none) %}

select {{ columns | join(', ') }}
from (select * from {{ model }}) as model
{%- if changed %}
where {{ is_computed_now('model', changed, changed_key) }}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
