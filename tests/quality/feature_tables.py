"""Plausible customer features, and the profile that dbt would make of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from quality.profile import STATISTICS, WHOLE_TABLE
from regulars.tables import CUSTOMER_FEATURES

Table = dict[str, np.ndarray[Any, Any]]
"""Feature → one value per customer; NaN or None where it is null."""


def good_features(customers: int = 400, seed: int = 7, as_of: date = date(2011, 9, 10)) -> Table:
    """Features that keep every promise that columns make about themselves and each other."""
    draw = np.random.default_rng(seed)
    repeat_days = draw.poisson(1.5, customers)
    repeats = repeat_days + draw.binomial(repeat_days + 1, 0.1)
    orders = repeats + 1
    age = draw.integers(1, 700, customers) + repeat_days
    span = np.where(repeat_days > 0, np.maximum(repeat_days, (age * draw.uniform(0.1, 1.0, customers)).astype(int)), 0)
    span = np.minimum(span, age)
    since = age - span
    gap = np.where(repeat_days > 0, span / np.maximum(repeat_days, 1), np.nan)
    orders_365 = np.minimum(orders, draw.poisson(1.5, customers) + 1)
    orders_180 = np.minimum(orders_365, draw.poisson(1.0, customers))
    orders_90 = np.minimum(orders_180, draw.poisson(0.6, customers))
    orders_30 = np.minimum(orders_90, draw.poisson(0.3, customers))
    value = orders * draw.lognormal(3.5, 0.7, customers)
    average = value / orders
    refunds = draw.binomial(orders, 0.1)
    usual = np.nan_to_num(gap, nan=120.0)
    categories = np.array(["tea", "coffee", "mugs"], dtype=object)[draw.integers(0, 3, customers)]
    table: Table = {
        "customer_id": np.array([f"c{number}" for number in range(customers)], dtype=object),
        "as_of_date": np.full(customers, as_of, dtype=object),
        "customer_age_days": age,
        "days_since_last_order": since,
        "orders_count": orders,
        "repeat_orders_count": repeats,
        "repeat_order_days_count": repeat_days,
        "active_span_days": span,
        "orders_30d_count": orders_30,
        "orders_90d_count": orders_90,
        "orders_180d_count": orders_180,
        "orders_365d_count": orders_365,
        "active_months_365d_count": np.minimum(orders_365, 12),
        "historic_value": value,
        "average_order_value": average,
        "last_order_value": average * draw.uniform(0.8, 1.2, customers),
        "max_order_value": average * 1.3,
        "order_value_stddev": average * 0.2,
        "net_revenue_30d": average * orders_30,
        "net_revenue_90d": average * orders_90,
        "net_revenue_180d": average * orders_180,
        "net_revenue_365d": average * orders_365,
        "formula_value": average * 3,
        "mean_gap_days": gap,
        "median_gap_days": gap,
        "gap_days_stddev": gap * 0.3,
        "last_gap_days": np.round(gap),
        "max_gap_days": np.round(gap * 1.5),
        "usual_gap_days": usual,
        "overdue_ratio": since / np.maximum(usual, 1),
        "overdue_days": since - usual,
        "orders_per_year": orders * 365 / np.maximum(age, 30),
        "orders_trend_ratio": (orders_90 + 1) / (orders_180 - orders_90 + 1),
        "net_revenue_trend_ratio": (orders_90 + 1) / (orders_180 - orders_90 + 1),
        "orders_same_season_last_year_count": draw.poisson(0.2, customers),
        "weekend_orders_share": draw.uniform(0, 1, customers),
        "average_basket_units": draw.uniform(1, 9, customers),
        "average_basket_products": draw.uniform(1, 4, customers),
        "distinct_products_count": draw.integers(1, 30, customers),
        "distinct_categories_count": draw.integers(1, 4, customers),
        "top_category": categories,
        "top_category_share": draw.uniform(0.3, 1, customers),
        "last_category": categories,
        "discounted_orders_share": draw.uniform(0, 1, customers),
        "discount_share": draw.uniform(0, 0.4, customers),
        "refunds_count": refunds,
        "refunded_share": draw.uniform(0, 0.3, customers),
        "days_since_last_refund": np.where(refunds > 0, since + 1.0, np.nan),
        "has_refund_on_last_order": refunds > 0,
    }
    return {column.name: table[column.name] for column in CUSTOMER_FEATURES.columns if column.name in table}


def profile_rows(table: Table, as_of: date) -> list[dict[str, Any]]:
    """What dbt's profile holds of the features, one dictionary a row."""
    rows_count = len(next(iter(table.values())))
    rows: list[dict[str, Any]] = [_row(as_of, WHOLE_TABLE, rows_count=rows_count, distinct_count=len(set(table.get("customer_id", []))))]
    for column in CUSTOMER_FEATURES.columns:
        if column.name not in table or column.name == CUSTOMER_FEATURES.slice_by:
            continue
        values = table[column.name]
        if not len(values):
            continue
        is_number = values.dtype != object
        is_null = np.isnan(values.astype(float)) if is_number else np.array([value is None for value in values])
        known = values[~is_null]
        row = _row(as_of, column.name, rows_count=len(values), distinct_count=len(set(known.tolist())))
        row["null_share"] = float(is_null.mean())
        if is_number and len(known):
            numbers = known.astype(float)
            row |= {"min": float(numbers.min()), "max": float(numbers.max()), "mean": float(numbers.mean())}
        rows.append(row)
    return rows


def _row(as_of: date, column: str, **values: Any) -> dict[str, Any]:
    return {"as_of_date": as_of, "column_name": column} | dict.fromkeys(STATISTICS) | values
