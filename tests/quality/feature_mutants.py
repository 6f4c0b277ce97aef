"""Accidents that have happened to real shops, done to good features one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from quality.feature_suite import GAPS
from regulars.tables import CUSTOMER_FEATURES
from tests.quality.feature_tables import Table

Mutation = Callable[[Table], Table]

FEW_VALUES = ("refunds_count", "distinct_categories_count", "orders_same_season_last_year_count")
"""Features that may take the same value for all by chance."""


def _is_money(name: str) -> bool:
    return "value" in name or ("revenue" in name and "ratio" not in name)


def _with(column: str, change: Callable[[np.ndarray], np.ndarray]) -> Mutation:
    return lambda table: table | {column: change(table[column])}


def _rows(select: Callable[[int], np.ndarray]) -> Mutation:
    return lambda table: {name: values[select(len(values))] for name, values in table.items()}


def _without(column: str) -> Mutation:
    return lambda table: {name: values for name, values in table.items() if name != column}


def _nulled(share: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        lost = np.arange(len(values)) < share * len(values)
        return np.where(lost, None, values) if values.dtype == object else np.where(lost, np.nan, values.astype(float))

    return change


def _first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.concatenate([[value], values[1:].astype(float)])


def mutants() -> Iterator[tuple[str, Mutation]]:
    """(name, mutation); each one must be stopped."""
    yield "emptied", _rows(lambda count: np.arange(0))
    yield "one customer left", _rows(lambda count: np.arange(1))
    yield "halved", _rows(lambda count: np.arange(count // 2))
    yield "a twentieth lost", _rows(lambda count: np.arange(count - count // 20))
    yield "every row twice", _rows(lambda count: np.repeat(np.arange(count), 2))
    yield "one row twice", _rows(lambda count: np.concatenate([[0], np.arange(count)]))
    yield "customer_id emptied to one", _with("customer_id", lambda values: np.full(len(values), "c0", dtype=object))
    yield (
        "no new order for a month",
        lambda table: (
            table
            | {
                "days_since_last_order": table["days_since_last_order"] + 30,
                "customer_age_days": table["customer_age_days"] + 30,
            }
        ),
    )
    yield (
        "half of the orders lost",
        lambda table: (
            table
            | {
                "orders_count": np.ceil(table["orders_count"] / 2),
                "repeat_orders_count": np.ceil(table["orders_count"] / 2) - 1,
            }
        ),
    )
    yield "money in pence", lambda table: table | {name: table[name] * 100 for name in table if _is_money(name)}
    yield "money in thousands", lambda table: table | {name: table[name] / 1000 for name in ("historic_value", "average_order_value")}
    yield "all gaps lost", lambda table: table | {name: np.full(len(table[name]), np.nan) for name in GAPS}
    yield "all spend lost", _with("historic_value", lambda values: values * 0)
    yield "customer older than a century", _with("customer_age_days", _first(40_000))
    yield (
        "windows swapped",
        lambda table: (
            table
            | {
                "orders_30d_count": table["orders_365d_count"],
                "orders_365d_count": table["orders_30d_count"],
            }
        ),
    )
    yield "last order before the first", _with("days_since_last_order", lambda values: values + 1000)
    for column in CUSTOMER_FEATURES.columns:
        if column.name == CUSTOMER_FEATURES.slice_by:
            continue
        yield f"{column.name} not built", _without(column.name)
        yield f"{column.name} nulled", _with(column.name, _nulled(1.0))
        if not column.nullable:
            yield f"{column.name} null in one row", _with(column.name, _nulled(1e-9))
        else:
            yield f"{column.name} nulled by half", _with(column.name, _nulled(0.5))
        if column.type in ("integer", "double"):
            yield f"{column.name} infinite in one row", _with(column.name, _first(np.inf))
            yield f"{column.name} beyond all measure", _with(column.name, _first(1e15))
            if not column.nullable and column.name != "overdue_days" and not _is_money(column.name):
                yield f"{column.name} negative in one row", _with(column.name, _first(-1))
            if not column.nullable and column.name not in FEW_VALUES:
                yield f"{column.name} the same for all", _with(column.name, lambda values: np.full(len(values), values.max()))
            if column.name.endswith("_share"):
                yield f"{column.name} in per cent", _with(column.name, lambda values: values * 100)
