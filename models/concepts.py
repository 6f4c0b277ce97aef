"""What models know of a customer, grouped to what a marketer can tell apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from models.feature_matrix import Rows, numbers
from models.prediction import Figures

CONCEPTS: Mapping[str, tuple[str, ...]] = {
    "silence": (
        "days_since_last_order",
        "overdue_ratio",
        "overdue_days",
        "orders_30d_count",
        "orders_90d_count",
        "net_revenue_30d",
        "net_revenue_90d",
        "btyd_probability_alive",
    ),
    "frequency": (
        "customer_age_days",
        "orders_count",
        "repeat_orders_count",
        "repeat_order_days_count",
        "active_span_days",
        "orders_180d_count",
        "orders_365d_count",
        "active_months_365d_count",
        "mean_gap_days",
        "median_gap_days",
        "gap_days_stddev",
        "last_gap_days",
        "max_gap_days",
        "usual_gap_days",
        "orders_per_year",
    ),
    "trend": ("orders_trend_ratio", "net_revenue_trend_ratio"),
    "spend": (
        "historic_value",
        "average_order_value",
        "last_order_value",
        "max_order_value",
        "order_value_stddev",
        "net_revenue_180d",
        "net_revenue_365d",
        "formula_value",
        "btyd_mean_spend",
    ),
    "basket": ("average_basket_units", "average_basket_products", "distinct_products_count", "distinct_categories_count"),
    "category": ("top_category", "top_category_share", "last_category"),
    "discounts": ("discounted_orders_share", "discount_share"),
    "returns": ("refunds_count", "refunded_share", "days_since_last_refund", "has_refund_on_last_order"),
    "season": ("orders_same_season_last_year_count",),
    "weekday": ("weekend_orders_share",),
}
"""Concept → the columns of the models' matrix that speak of it; each column speaks of exactly one."""

CONCEPT_OF: Mapping[str, str] = {name: concept for concept, names in CONCEPTS.items() for name in names}

HISTORY_CONCEPTS = ("silence", "frequency", "spend")
"""What the order history alone speaks of: all that buy-till-you-die models and the formula know."""


def replaced(rows: Rows, concepts: Collection[str], typical: pa.Table) -> pa.Table:
    """Rows of `customer_features` as they would be, were what the concepts speak of that of the `typical` customer, a single row.

    A history stays one that is possible: who is silent for as long as the typical customer, or has ordered over as long a
    span, is a customer for as long as both together.
    """
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
    names = {name for concept in concepts for name in CONCEPTS[concept]}
    for position, name in enumerate(table.column_names):
        if name in names:
            column = pa.repeat(typical.column(name)[0], table.num_rows)
            table = table.set_column(position, table.schema.field(position), column)
    for name, values in _times(rows, concepts, typical).items():
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values).cast(field.type, safe=False))
    return table


def _times(rows: Rows, concepts: Collection[str], typical: pa.Table) -> dict[str, Figures]:
    if not {"silence", "frequency"} & set(concepts):
        return {}
    (own_span, own_silence), (typical_span, typical_silence) = _span_and_silence(rows), _span_and_silence(typical)
    span = np.repeat(typical_span, rows.num_rows) if "frequency" in concepts else own_span
    silence = np.repeat(typical_silence, rows.num_rows) if "silence" in concepts else own_silence
    return {"active_span_days": span, "customer_age_days": span + silence}


def _span_and_silence(rows: Rows) -> tuple[Figures, Figures]:
    age, span = (np.nan_to_num(numbers(rows.column(name))) for name in ("customer_age_days", "active_span_days"))
    span = np.clip(span, 0.0, np.maximum(age, 0.0))
    return span, np.maximum(age, 0.0) - span
