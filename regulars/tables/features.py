"""What dbt computes of each customer at a cutoff: features and outcomes."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

CUSTOMER_FEATURES = Table(
    "features",
    "customer_features",
    "One row per customer per as_of_date.",
    (
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "Only events before this day's start in shop time count."),
        # How often, how recently, how long
        required("customer_age_days", "integer", "Days since the first order."),
        required("days_since_last_order", "integer", "Days since the last order."),
        required("orders_count", "integer", "Orders so far; an order refunded to nothing is none."),
        required("repeat_orders_count", "integer", "Orders after the first."),
        required("repeat_order_days_count", "integer", "Days with an order after the first such day (x of buy-till-you-die models)."),
        required("active_span_days", "integer", "Days from the first to the last order (t_x of buy-till-you-die models)."),
        required("orders_30d_count", "integer", "Orders in the last 30 days."),
        required("orders_90d_count", "integer", "Orders in the last 90 days."),
        required("orders_180d_count", "integer", "Orders in the last 180 days."),
        required("orders_365d_count", "integer", "Orders in the last 365 days."),
        required("active_months_365d_count", "integer", "30-day steps of the last 365 days with an order."),
        # Money
        required("historic_value", "double", "Net spend so far, refunds subtracted."),
        required("average_order_value", "double", "historic_value / orders_count."),
        required("last_order_value", "double", "Net revenue of the last order."),
        required("max_order_value", "double", "Net revenue of the dearest order."),
        required("order_value_stddev", "double", "Population standard deviation of the orders' net revenue."),
        required("net_revenue_30d", "double", "Net revenue of the orders of the last 30 days."),
        required("net_revenue_90d", "double", "Net revenue of the orders of the last 90 days."),
        required("net_revenue_180d", "double", "Net revenue of the orders of the last 180 days."),
        required("net_revenue_365d", "double", "Net revenue of the orders of the last 365 days."),
        required("formula_value", "double", "The classical formula: average order value × orders a year × lifespan in years."),
        # Rhythm
        Column("mean_gap_days", "double", "Mean days between successive order days; null before the second."),
        Column("median_gap_days", "double", "Median days between successive order days; null before the second."),
        Column("gap_days_stddev", "double", "Population standard deviation of the gaps; null before the second order day."),
        Column("last_gap_days", "integer", "Days between the last two order days; null before the second."),
        Column("max_gap_days", "integer", "Longest gap so far; null before the second order day."),
        required("usual_gap_days", "double", "The customer's own mean gap, shrunk towards the shop's by one gap's weight."),
        required("overdue_ratio", "double", "days_since_last_order / usual_gap_days."),
        required("overdue_days", "double", "days_since_last_order - usual_gap_days."),
        required("orders_per_year", "double", "Orders a year over the customer's age, at least 30 days."),
        # Trend and season
        required("orders_trend_ratio", "double", "(orders of the last 90 days + 1) / (orders of the 90 days before + 1)."),
        required(
            "net_revenue_trend_ratio",
            "double",
            "(net revenue of the last 90 days + the shop's mean order) / (the 90 days before + the same).",
        ),
        required("orders_same_season_last_year_count", "integer", "Orders in the churn horizon that began 365 days before as_of."),
        required("weekend_orders_share", "double", "Share of orders on Saturday or Sunday."),
        # Baskets
        required("average_basket_units", "double", "Units per order; 1 where the source has no units."),
        required("average_basket_products", "double", "Different products per order; 1 where the source has no lines."),
        required("distinct_products_count", "integer", "Different products bought."),
        required("distinct_categories_count", "integer", "Different categories bought."),
        Column("top_category", "text", "Category with the most net revenue; null where the source has none."),
        required("top_category_share", "double", "Its share of the net revenue; 0 where the source has none."),
        Column("last_category", "text", "Category with the most net revenue in the last order; null where the source has none."),
        # What was given away, what came back
        required("discounted_orders_share", "double", "Share of orders with a discount or coupon."),
        required("discount_share", "double", "Discount / (net revenue + discount)."),
        required("refunds_count", "integer", "Refunds so far."),
        required("refunded_share", "double", "Money refunded / (net spend + money refunded)."),
        Column("days_since_last_refund", "integer", "Days since the last refund; null without one."),
        required("has_refund_on_last_order", "boolean", "Something of the last order came back."),
    ),
    ("customer_id", "as_of_date"),
    "dbt",
    slice_by="as_of_date",
)

CUSTOMER_OUTCOMES = Table(
    "features",
    "customer_outcomes",
    "One row per customer per as_of_date per horizon, or the part of it that has passed.",
    (
        required("customer_id", "text", "The person; every customer with an order before as_of_date."),
        required("as_of_date", "date", "Start of the horizon."),
        required("horizon_days", "integer", "Length of the horizon, or of its part that lies before the training's as_of."),
        required("orders_count", "integer", "Orders in [as_of_date, as_of_date + horizon_days)."),
        required("has_churned", "boolean", "True when orders_count is 0."),
        required("net_revenue", "double", "Net revenue of those orders, refunds known by the horizon's end subtracted."),
    ),
    ("customer_id", "as_of_date", "horizon_days"),
    "dbt",
    slice_by="as_of_date",
)
