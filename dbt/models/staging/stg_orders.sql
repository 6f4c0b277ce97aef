{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_changed(ref('stg_changed_orders'), ['source', 'order_id']) }}"
    )
}}

{%- if changes_only() -%}
    {%- set changed -%}
exists (
    select 1
    from {{ source('raw', 'orders') }} as same_record
    where
        {{ same_record('same_record', 'landed', ['source', 'record_key']) }}
        and {{ is_among('same_record', ref('stg_changed_orders'), ['source', 'order_id']) }}
)
    {%- endset %}
{%- endif %}

with

{{ versions(source('raw', 'orders'), changed=changed) }},

order_lines as (
    select * from {{ ref('stg_order_lines') }} as order_lines
    {%- if changes_only() %}
        where {{ is_among('order_lines', ref('stg_changed_orders'), ['source', 'order_id']) }}
    {%- endif %}
),

parameters as (
    select time_zone from {{ source('control', 'parameters') }}
),

-- The lines of a source stand for orders until it gives orders.
sources_with_orders as (
    select
        source,
        min(known_at) as known_at
    from {{ source('raw', 'orders') }}
    group by source
),

line_totals as (
    select
        source,
        order_id,
        min(account_id) as account_id,
        min(ordered_at) as ordered_at,
        min(currency) as currency,
        cast(sum(net_revenue) as decimal(18, 4)) as net_revenue,
        cast(sum(discount_amount) as decimal(18, 4)) as discount_amount,
        cast(sum(quantity) as bigint) as units_count,
        count(distinct product_id) as products_count,
        min(known_at) as first_known_at,
        max(known_at) as last_known_at,
        count(superseded_at) as superseded_count
    from order_lines
    group by source, order_id
),

headers as (
    select
        source,
        order_id,
        account_id,
        ordered_at,
        cancelled_at,
        net_revenue,
        discount_amount,
        shipping_amount,
        tax_amount,
        currency,
        coupon_code,
        items_count,
        known_at,
        superseded_at
    from versions
    {%- if changes_only() %}
        where {{ is_among('versions', ref('stg_changed_orders'), ['source', 'order_id']) }}
    {%- endif %}
    union all
    select
        line_totals.source,
        line_totals.order_id,
        null as account_id,
        null as ordered_at,
        null as cancelled_at,
        null as net_revenue,
        null as discount_amount,
        null as shipping_amount,
        null as tax_amount,
        null as currency,
        null as coupon_code,
        null as items_count,
        line_totals.first_known_at as known_at,
        sources_with_orders.known_at as superseded_at
    from line_totals
    left join sources_with_orders on line_totals.source = sources_with_orders.source
    where sources_with_orders.known_at is null or sources_with_orders.known_at > line_totals.first_known_at
),

-- Nearly every order: its lines never changed and were known when the order was.
settled_orders as (
    select
        headers.*,
        line_totals.account_id as lines_account_id,
        line_totals.ordered_at as lines_ordered_at,
        line_totals.currency as lines_currency,
        line_totals.net_revenue as lines_net_revenue,
        line_totals.discount_amount as lines_discount_amount,
        line_totals.units_count as lines_units_count,
        line_totals.products_count as lines_products_count
    from headers
    left join line_totals
        on headers.source = line_totals.source and headers.order_id = line_totals.order_id
    where
        line_totals.order_id is null
        or (line_totals.superseded_count = 0 and line_totals.last_known_at <= headers.known_at)
),

unsettled_headers as (
    select headers.*
    from headers
    inner join line_totals
        on headers.source = line_totals.source and headers.order_id = line_totals.order_id
    where line_totals.superseded_count > 0 or line_totals.last_known_at > headers.known_at
),

moments as (
    select
        source,
        order_id,
        known_at as header_known_at,
        known_at
    from unsettled_headers
    union
    select
        unsettled_headers.source,
        unsettled_headers.order_id,
        unsettled_headers.known_at as header_known_at,
        order_lines.known_at
    from unsettled_headers
    inner join order_lines
        on
            unsettled_headers.source = order_lines.source
            and unsettled_headers.order_id = order_lines.order_id
            and unsettled_headers.known_at < order_lines.known_at
    where unsettled_headers.superseded_at is null or unsettled_headers.superseded_at > order_lines.known_at
    union
    select
        unsettled_headers.source,
        unsettled_headers.order_id,
        unsettled_headers.known_at as header_known_at,
        order_lines.superseded_at as known_at
    from unsettled_headers
    inner join order_lines
        on
            unsettled_headers.source = order_lines.source
            and unsettled_headers.order_id = order_lines.order_id
            and unsettled_headers.known_at < order_lines.superseded_at
    where unsettled_headers.superseded_at is null or unsettled_headers.superseded_at > order_lines.superseded_at
),

line_totals_at_moments as (
    select
        moments.source,
        moments.order_id,
        moments.known_at,
        min(order_lines.account_id) as account_id,
        min(order_lines.ordered_at) as ordered_at,
        min(order_lines.currency) as currency,
        cast(sum(order_lines.net_revenue) as decimal(18, 4)) as net_revenue,
        cast(sum(order_lines.discount_amount) as decimal(18, 4)) as discount_amount,
        cast(sum(order_lines.quantity) as bigint) as units_count,
        count(distinct order_lines.product_id) as products_count
    from moments
    inner join order_lines
        on
            moments.source = order_lines.source
            and moments.order_id = order_lines.order_id
            and {{ is_known_at('order_lines', 'moments.known_at') }}
    group by moments.source, moments.order_id, moments.known_at
),

unsettled_orders as (
    select
        unsettled_headers.source,
        unsettled_headers.order_id,
        unsettled_headers.account_id,
        unsettled_headers.ordered_at,
        unsettled_headers.cancelled_at,
        unsettled_headers.net_revenue,
        unsettled_headers.discount_amount,
        unsettled_headers.shipping_amount,
        unsettled_headers.tax_amount,
        unsettled_headers.currency,
        unsettled_headers.coupon_code,
        unsettled_headers.items_count,
        moments.known_at,
        coalesce(
            lead(moments.known_at) over (
                partition by moments.source, moments.order_id, moments.header_known_at
                order by moments.known_at
            ),
            unsettled_headers.superseded_at
        ) as superseded_at,
        line_totals_at_moments.account_id as lines_account_id,
        line_totals_at_moments.ordered_at as lines_ordered_at,
        line_totals_at_moments.currency as lines_currency,
        line_totals_at_moments.net_revenue as lines_net_revenue,
        line_totals_at_moments.discount_amount as lines_discount_amount,
        line_totals_at_moments.units_count as lines_units_count,
        line_totals_at_moments.products_count as lines_products_count
    from moments
    inner join unsettled_headers
        on
            moments.source = unsettled_headers.source
            and moments.order_id = unsettled_headers.order_id
            and moments.header_known_at = unsettled_headers.known_at
    left join line_totals_at_moments
        on
            moments.source = line_totals_at_moments.source
            and moments.order_id = line_totals_at_moments.order_id
            and moments.known_at = line_totals_at_moments.known_at
),

order_versions as (
    select * from settled_orders
    union all
    select * from unsettled_orders
),

orders as (
    select
        order_versions.source,
        order_versions.order_id,
        coalesce(order_versions.account_id, order_versions.lines_account_id) as account_id,
        coalesce(order_versions.ordered_at, order_versions.lines_ordered_at) as ordered_at,
        {{ local_date('coalesce(order_versions.ordered_at, order_versions.lines_ordered_at)', 'parameters.time_zone') }} as ordered_date,
        order_versions.cancelled_at,
        {{ local_date('order_versions.cancelled_at', 'parameters.time_zone') }} as cancelled_date,
        cast(coalesce(order_versions.net_revenue, order_versions.lines_net_revenue) as decimal(18, 4)) as net_revenue,
        cast(coalesce(order_versions.discount_amount, order_versions.lines_discount_amount) as decimal(18, 4)) as discount_amount,
        order_versions.shipping_amount,
        order_versions.tax_amount,
        coalesce(order_versions.currency, order_versions.lines_currency) as currency,
        order_versions.coupon_code,
        coalesce(order_versions.lines_units_count, order_versions.items_count) as units_count,
        order_versions.lines_products_count as products_count,
        order_versions.known_at,
        order_versions.superseded_at
    from order_versions
    cross join parameters
    where order_versions.ordered_at is not null or order_versions.lines_ordered_at is not null
)

select * from orders
