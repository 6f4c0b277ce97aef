"""The features of one date as statistics, histograms, and counts of rows that break what columns promise each other."""

from __future__ import annotations

from datetime import date

from quality.column_statistics import column_aggregates, measure, measure_histograms, measure_violations
from quality.profile import WHOLE_TABLE, Profile
from regulars.tables import CUSTOMER_FEATURES, Column
from regulars.warehouse import Warehouse

TABLE = CUSTOMER_FEATURES.name
PROFILED = tuple(column for column in CUSTOMER_FEATURES.columns if column.name != CUSTOMER_FEATURES.slice_by)
SPREAD = tuple(column for column in PROFILED if column.name != "customer_id")
RELATION = f"{CUSTOMER_FEATURES.qualified_name} where as_of_date = ?"


def _near(one: str, other: str) -> str:
    return f"abs(({one}) - ({other})) <= 0.000001 * greatest(1, abs({one}), abs({other}))"


def _whole(number: str) -> str:
    return f"abs({number} - floor({number} + 0.5)) <= 0.00001"


WINDOWS = (30, 90, 180, 365)
PROMISES = {
    "every order but the first is a repeat order": "repeat_orders_count = orders_count - 1",
    "the age is the span from first to last order and the days since": "customer_age_days = days_since_last_order + active_span_days",
    "an order day after the first holds a repeat order": "repeat_order_days_count <= repeat_orders_count",
    "who came back was active for as many days": "active_span_days >= repeat_order_days_count",
    "shorter windows hold no more orders": (
        "orders_30d_count <= orders_90d_count and orders_90d_count <= orders_180d_count "
        "and orders_180d_count <= orders_365d_count and orders_365d_count <= orders_count"
    ),
    **{
        f"who ordered within {days} days has orders there": f"(days_since_last_order <= {days}) = (orders_{days}d_count > 0)"
        for days in WINDOWS
    },
    **{f"no revenue without an order in {days} days": f"orders_{days}d_count > 0 or net_revenue_{days}d = 0" for days in WINDOWS},
    "active months hold orders": (
        "(active_months_365d_count > 0) = (orders_365d_count > 0) and active_months_365d_count <= orders_365d_count"
    ),
    "orders of the season are orders of the year": "orders_same_season_last_year_count <= orders_365d_count",
    "the average order value is the historic value over the orders": _near("average_order_value * orders_count", "historic_value"),
    "no order is dearer than the dearest": "last_order_value <= max_order_value + 0.005",
    "one order has no spread": "orders_count > 1 or order_value_stddev <= 0.01",
    "gaps are known for those who came back": (
        "(mean_gap_days is not null) = (repeat_order_days_count > 0) and (median_gap_days is null) = (mean_gap_days is null) "
        "and (gap_days_stddev is null) = (mean_gap_days is null) and (last_gap_days is null) = (mean_gap_days is null) "
        "and (max_gap_days is null) = (mean_gap_days is null)"
    ),
    "the gaps fill the active span": _near("mean_gap_days * repeat_order_days_count", "active_span_days"),
    "no gap is longer than the longest": (
        "max_gap_days >= last_gap_days and max_gap_days >= median_gap_days and max_gap_days >= mean_gap_days"
    ),
    "one gap has no spread": "repeat_order_days_count > 1 or gap_days_stddev <= 0.001",
    "overdue by the days beyond the usual gap": _near("overdue_days + usual_gap_days", "days_since_last_order"),
    "overdue in usual gaps": _near("overdue_ratio * usual_gap_days", "days_since_last_order"),
    "the trend compares two quarters": _near("orders_trend_ratio * (orders_180d_count - orders_90d_count + 1)", "orders_90d_count + 1"),
    "no revenue in half a year, no trend of it": "orders_180d_count > 0 or " + _near("net_revenue_trend_ratio", "1"),
    "weekend orders are counted": _whole("(weekend_orders_share * orders_count)"),
    "discounted orders are counted": _whole("(discounted_orders_share * orders_count)"),
    "units are counted": _whole("(average_basket_units * orders_count)"),
    "products are counted": _whole("(average_basket_products * orders_count)"),
    "discounts come with discounted orders": "discount_share = 0 or discounted_orders_share > 0",
    "who has a category has a top one": "(distinct_categories_count > 0) = (top_category is not null)",
    "the last category is one of the customer's": "last_category is null or distinct_categories_count > 1 or last_category = top_category",
    "who was refunded has a last refund": "(refunds_count > 0) = (days_since_last_refund is not null)",
    "no money back without a refund": "refunded_share = 0 or refunds_count > 0",
}
"""Words → SQL condition of a row that keeps the promise; it does not hold where columns were shuffled between customers."""


def measure_features(warehouse: Warehouse, as_of: date) -> Profile:
    """The profile of the features of `as_of`."""
    profile = Profile(as_of)
    statistics = {(WHOLE_TABLE, "rows_count"): "count(*)", (WHOLE_TABLE, "distinct_count"): "count(distinct customer_id)"}
    statistics |= {name: aggregate for column in PROFILED for name, aggregate in column_aggregates(column)}
    measure(warehouse, profile, TABLE, statistics, RELATION, [as_of])
    measure_histograms(warehouse, profile, TABLE, SPREAD, RELATION, [as_of])
    measure_violations(warehouse, profile, TABLE, PROMISES, RELATION, [as_of])
    _measure_orders(warehouse, profile)
    return profile


def measure_spread(warehouse: Warehouse, as_of: date, columns: tuple[Column, ...] = SPREAD) -> Profile:
    """The histograms alone."""
    profile = Profile(as_of)
    measure_histograms(warehouse, profile, TABLE, columns, RELATION, [as_of])
    return profile


def _measure_orders(warehouse: Warehouse, profile: Profile) -> None:
    """All orders in the features, to be held against those in staging."""
    count = warehouse.rows(f"select sum(orders_count) from {RELATION}", [profile.as_of])[0][0]
    profile.values[TABLE, WHOLE_TABLE, "orders_count"] = float(count or 0)
