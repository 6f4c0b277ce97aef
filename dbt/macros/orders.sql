{#- The part of an amount that falls on a part of its units, to four places. -#}
{% macro share_of(amount, units, all_units) -%}
    cast(round(cast({{ amount }} as decimal(38, 4)) * ({{ units }}) / {{ all_units }}, 4) as decimal(18, 4))
{%- endmacro %}

{#-
Whether an order is one after its refunds: an order left with nothing is no order. An order that cost nothing and was never refunded is one.
-#}
{% macro is_left_with_something(order, refund) -%}
    {{ refund }}.amount is null
    or (
        ({{ order }}.net_revenue <= 0 or {{ order }}.net_revenue > {{ refund }}.amount)
        and (coalesce({{ order }}.units_count, 0) <= 0 or {{ order }}.units_count > {{ refund }}.units_count)
    )
{%- endmacro %}

{#- Whether an order had been placed, and not cancelled, before a day, as far as known at an instant. Never null. -#}
{% macro is_placed_before(order, day, instant) -%}
    coalesce(
        {{ order }}.ordered_day < {{ day }}
        and ({{ order }}.cancelled_day is null or {{ order }}.cancelled_day >= {{ day }})
        and {{ is_known_at(order, instant) }},
        false
    )
{%- endmacro %}
