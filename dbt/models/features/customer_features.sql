{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        full_refresh=false,
        pre_hook="{{ replace_slices(\"purpose <> 'outcomes'\") }}"
    )
}}

with

as_of_dates as (
    select * from {{ source('control', 'as_of_dates') }}
    where purpose <> 'outcomes'
),

parameters as (
    select * from {{ source('control', 'parameters') }}
),

order_summaries as (
    select
        *,
        {{ day_number('as_of_date') }} - first_ordered_day as customer_age_days,
        {{ day_number('as_of_date') }} - last_ordered_day as days_since_last_order
    from {{ ref('int_as_of_summaries') }}
),

-- What the shop looked like on the day, for customers who have too little history of their own.
shop_summaries as (
    select
        shops.as_of_date,
        cast(shops.net_revenue as double precision) / cast(shops.orders_count as double precision) as mean_order_value,
        coalesce(
            cast(shops.active_span_days as double precision) / nullif(cast(shops.gaps_count as double precision), 0),
            parameters.churn_horizon_days
        ) as mean_gap_days
    from {{ ref('int_as_of_shops') }} as shops
    cross join parameters
),

refunds as (
    select
        as_of_dates.as_of_date,
        person_periods.customer_id,
        allocations.source,
        allocations.refund_id,
        sum(case when allocations.order_id is null then 0 else allocations.amount end) as amount,
        max({{ day_number('as_of_dates.as_of_date') }} - allocations.refunded_day) as days_ago
    from {{ ref('int_refund_allocations') }} as allocations
    inner join as_of_dates
        on
            allocations.refunded_day < {{ day_number('as_of_dates.as_of_date') }}
            and {{ is_known_at('allocations', 'as_of_dates.known_until') }}
    inner join {{ ref('int_account_person_periods') }} as person_periods
        on
            allocations.account_id = person_periods.account_id
            and {{ is_known_at('person_periods', 'as_of_dates.known_until') }}
    group by as_of_dates.as_of_date, person_periods.customer_id, allocations.source, allocations.refund_id
),

refund_summaries as (
    select
        as_of_date,
        customer_id,
        count(*) as refunds_count,
        sum(amount) as refunded_amount,
        min(days_ago) as days_since_last_refund
    from refunds
    group by as_of_date, customer_id
),

baskets as (
    select * from {{ ref('int_as_of_baskets') }}
),

summaries as (
    select
        order_summaries.*,
        order_summaries.customer_age_days - order_summaries.days_since_last_order as active_span_days,
        cast(order_summaries.net_revenue as double precision) as historic_value,
        cast(order_summaries.net_revenue as double precision) / order_summaries.orders_count as average_order_value,
        order_summaries.orders_count * 365.0
        / cast(greatest(order_summaries.customer_age_days, 30) as double precision) as orders_per_year,
        (order_summaries.customer_age_days - order_summaries.days_since_last_order + shop_summaries.mean_gap_days)
        / (order_summaries.gaps_count + 1) as usual_gap_days,
        shop_summaries.mean_order_value as shop_mean_order_value,
        cast(coalesce(refund_summaries.refunded_amount, 0) as double precision) as refunded_amount,
        coalesce(refund_summaries.refunds_count, 0) as refunds_count,
        refund_summaries.days_since_last_refund,
        coalesce(baskets.distinct_products_count, 0) as distinct_products_count,
        coalesce(baskets.distinct_categories_count, 0) as distinct_categories_count,
        baskets.top_category,
        coalesce(baskets.top_category_share, 0) as top_category_share,
        baskets.last_category
    from order_summaries
    inner join shop_summaries on order_summaries.as_of_date = shop_summaries.as_of_date
    left join refund_summaries
        on
            order_summaries.as_of_date = refund_summaries.as_of_date
            and order_summaries.customer_id = refund_summaries.customer_id
    left join baskets
        on
            order_summaries.as_of_date = baskets.as_of_date
            and order_summaries.customer_id = baskets.customer_id
),

customer_features as (
    select
        cast(summaries.customer_id as varchar) as customer_id,
        cast(summaries.as_of_date as date) as as_of_date,
        cast(summaries.customer_age_days as bigint) as customer_age_days,
        cast(summaries.days_since_last_order as bigint) as days_since_last_order,
        cast(summaries.orders_count as bigint) as orders_count,
        cast(summaries.orders_count - 1 as bigint) as repeat_orders_count,
        cast(summaries.gaps_count as bigint) as repeat_order_days_count,
        cast(summaries.active_span_days as bigint) as active_span_days,
        cast(summaries.orders_30d_count as bigint) as orders_30d_count,
        cast(summaries.orders_90d_count as bigint) as orders_90d_count,
        cast(summaries.orders_180d_count as bigint) as orders_180d_count,
        cast(summaries.orders_365d_count as bigint) as orders_365d_count,
        cast(summaries.active_months_365d_count as bigint) as active_months_365d_count,
        cast(summaries.historic_value as double precision) as historic_value,
        cast(summaries.average_order_value as double precision) as average_order_value,
        cast(summaries.last_order_value as double precision) as last_order_value,
        cast(summaries.max_order_value as double precision) as max_order_value,
        sqrt(
            greatest(
                cast(
                    summaries.orders_count * summaries.squared_net_revenue
                    - summaries.rounded_net_revenue * summaries.rounded_net_revenue
                    as double precision
                ),
                0
            )
        ) / summaries.orders_count as order_value_stddev,
        cast(summaries.net_revenue_30d as double precision) as net_revenue_30d,
        cast(summaries.net_revenue_90d as double precision) as net_revenue_90d,
        cast(summaries.net_revenue_180d as double precision) as net_revenue_180d,
        cast(summaries.net_revenue_365d as double precision) as net_revenue_365d,
        cast(
            summaries.average_order_value * summaries.orders_per_year * parameters.formula_lifespan_years
            as double precision
        ) as formula_value,
        cast(summaries.active_span_days as double precision) / nullif(summaries.gaps_count, 0) as mean_gap_days,
        cast(summaries.median_gap_days as double precision) as median_gap_days,
        sqrt(
            cast(
                summaries.gaps_count * summaries.squared_gap_days - summaries.active_span_days * summaries.active_span_days
                as double precision
            )
        ) / nullif(summaries.gaps_count, 0) as gap_days_stddev,
        cast(summaries.last_gap_days as bigint) as last_gap_days,
        cast(summaries.max_gap_days as bigint) as max_gap_days,
        cast(summaries.usual_gap_days as double precision) as usual_gap_days,
        cast(summaries.days_since_last_order / summaries.usual_gap_days as double precision) as overdue_ratio,
        cast(summaries.days_since_last_order - summaries.usual_gap_days as double precision) as overdue_days,
        cast(summaries.orders_per_year as double precision) as orders_per_year,
        cast(summaries.orders_90d_count + 1 as double precision)
        / (summaries.orders_180d_count - summaries.orders_90d_count + 1) as orders_trend_ratio,
        case
            when
                summaries.shop_mean_order_value > 0
                and summaries.net_revenue_90d >= 0
                and summaries.net_revenue_180d >= summaries.net_revenue_90d
                then
                    (cast(summaries.net_revenue_90d as double precision) + summaries.shop_mean_order_value)
                    / (
                        cast(summaries.net_revenue_180d - summaries.net_revenue_90d as double precision)
                        + summaries.shop_mean_order_value
                    )
            else cast(1 as double precision)
        end as net_revenue_trend_ratio,
        cast(summaries.orders_same_season_last_year_count as bigint) as orders_same_season_last_year_count,
        cast(summaries.weekend_orders_count as double precision) / summaries.orders_count as weekend_orders_share,
        cast(summaries.units_count as double precision) / summaries.orders_count as average_basket_units,
        cast(summaries.products_count as double precision) / summaries.orders_count as average_basket_products,
        cast(summaries.distinct_products_count as bigint) as distinct_products_count,
        cast(summaries.distinct_categories_count as bigint) as distinct_categories_count,
        cast(summaries.top_category as varchar) as top_category,
        cast(summaries.top_category_share as double precision) as top_category_share,
        cast(summaries.last_category as varchar) as last_category,
        cast(summaries.discounted_orders_count as double precision) / summaries.orders_count as discounted_orders_share,
        case
            when summaries.discount_amount > 0 and summaries.net_revenue >= 0
                then
                    cast(summaries.discount_amount as double precision)
                    / cast(summaries.net_revenue + summaries.discount_amount as double precision)
            else cast(0 as double precision)
        end as discount_share,
        cast(summaries.refunds_count as bigint) as refunds_count,
        case
            when summaries.refunded_amount > 0 and summaries.historic_value >= 0
                then summaries.refunded_amount / (summaries.historic_value + summaries.refunded_amount)
            else cast(0 as double precision)
        end as refunded_share,
        cast(summaries.days_since_last_refund as bigint) as days_since_last_refund,
        summaries.has_refund_on_last_order
    from summaries
    cross join parameters
)

select * from customer_features
