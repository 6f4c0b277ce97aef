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

{#-
The orders that count on each as_of_date, as the CTE `kept_orders`: placed and not cancelled before, and left with something after the
refunds made before, all as far as known by known_until. Dates and orders can be narrowed, by conditions on the rows `as_of_dates`
and `orders`, and the orders also by the relation that they are read from: what is left out there is not multiplied by the dates.
-#}
{% macro kept_orders(dates='true', orders='true', read_from=none) -%}
as_of_dates as (
    select
        as_of_date,
        {{ day_number('as_of_date') }} as as_of_day,
        known_until,
        carried_from,
        sampled_below
    from {{ source('control', 'as_of_dates') }} as as_of_dates
    where purpose <> 'outcomes' and {{ dates }}
),

refunds as (
    select
        as_of_dates.as_of_date,
        allocations.source,
        allocations.order_id,
        cast(sum(allocations.amount) as decimal(18, 4)) as amount,
        cast(sum(coalesce(allocations.quantity, 0)) as bigint) as units_count
    from {{ ref('int_refund_allocations') }} as allocations
    inner join as_of_dates
        on
            allocations.refunded_day < as_of_dates.as_of_day
            and {{ is_known_at('allocations', 'as_of_dates.known_until') }}
    where allocations.order_id is not null
    group by as_of_dates.as_of_date, allocations.source, allocations.order_id
),

-- The coalesce keeps engines from planning a join on inequalities: filtering the product with the few dates is faster.
placed_orders as (
    select
        as_of_dates.as_of_date,
        as_of_dates.as_of_day,
        orders.*
    from {{ read_from or ref('int_orders') }} as orders
    cross join as_of_dates
    where
        {{ is_placed_before('orders', 'as_of_dates.as_of_day', 'as_of_dates.known_until') }}
        and {{ orders }}
),

kept_orders as (
    select
        orders.as_of_date,
        orders.as_of_day,
        orders.customer_id,
        orders.source,
        orders.order_id,
        orders.ordered_at,
        orders.ordered_day,
        cast(orders.net_revenue - coalesce(refunds.amount, 0) as decimal(18, 4)) as net_revenue,
        orders.discount_amount,
        orders.is_discounted,
        case
            when orders.units_count >= coalesce(refunds.units_count, 0) then orders.units_count - coalesce(refunds.units_count, 0)
            when orders.units_count is not null then 0
        end as units_count,
        orders.products_count,
        refunds.amount is not null as has_refund
    from placed_orders as orders
    left join refunds
        on
            orders.as_of_date = refunds.as_of_date
            and orders.source = refunds.source
            and orders.order_id = refunds.order_id
    where {{ is_left_with_something('orders', 'refunds') }}
)
{%- endmacro %}
