"""What must hold of `features.customer_features` before anyone is scored: the one place where it is written.

A rule bounds one statistic of one column. Bounds follow from the column's contract in `regulars.tables` (nullability,
type, and what its name promises), from other columns of the same night, and from the last night that passed.
A statistic that the profile does not have breaks every rule about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

from quality.limits import GateLimits
from quality.profile import WHOLE_TABLE, Profile
from regulars.tables import CUSTOMER_FEATURES, Column

PROFILED = tuple(column for column in CUSTOMER_FEATURES.columns if column.name != CUSTOMER_FEATURES.slice_by)

BEYOND_ANY_SHOP = 1e12
LONGEST_HISTORY_DAYS = 36_525.0
SILENCE_FACTOR = 14.0
"""If orders came independently at the shop's own rate, a silence of 14 mean gaps would have a probability of one in a million."""
MONTH_DAYS = 31

GAPS = ("mean_gap_days", "median_gap_days", "gap_days_stddev", "last_gap_days", "max_gap_days")
NESTED_WINDOWS = ("orders_30d_count", "orders_90d_count", "orders_180d_count", "orders_365d_count", "orders_count")
SMALLEST_AMOUNT = 0.01
FEW = 50.0
"""Below so many customers shares and means jump by themselves."""
JUMP = 3.0
VARIED = 5.0
KEPT = 0.9
LEVELS = ("historic_value", "average_order_value", "orders_count", "customer_age_days")
"""Means over the customers' whole past: they move slowly, so that a jump is a broken unit or half a history."""


@dataclass(frozen=True)
class Rule:
    """`lower <= statistic of column <= upper`, and in `promise` why that must be so."""

    column: str
    statistic: str
    lower: float
    upper: float
    promise: str


def feature_suite(tonight: Profile, before: Profile | None, limits: GateLimits) -> list[Rule]:
    """All rules for one night; those that compare with `before` are left out where no night has passed yet."""
    rules = [*_table(tonight), *_contract(tonight), *_ranges(tonight), *_consistency(tonight), *_freshness(tonight, limits)]
    return [*rules, *_movement(tonight, before, limits)] if before is not None else rules


def _table(tonight: Profile) -> Iterator[Rule]:
    rows = tonight.rows_count
    yield Rule(WHOLE_TABLE, "rows_count", 1, BEYOND_ANY_SHOP, "there are customers")
    yield Rule(WHOLE_TABLE, "distinct_count", rows, rows, "one row per customer")


def _contract(tonight: Profile) -> Iterator[Rule]:
    rows = tonight.rows_count
    for column in PROFILED:
        yield Rule(column.name, "rows_count", rows, rows, "every column is profiled over all rows")
        if column.nullable:
            yield Rule(column.name, "null_share", 0, 1, "a share of nulls is a share")
        else:
            yield Rule(column.name, "null_share", 0, 0, "a required column holds no null")


def _ranges(tonight: Profile) -> Iterator[Rule]:
    for column in PROFILED:
        has_values = not (column.nullable and tonight.value(column.name, "null_share") == 1)
        if column.type in ("integer", "double", "amount", "boolean") and has_values:
            lower, upper, promise = _range(column)
            for statistic in ("min", "mean", "max"):
                yield Rule(column.name, statistic, lower, upper, promise)


def _range(column: Column) -> tuple[float, float, str]:
    """What a column's type and name promise about every value of it."""
    if column.type == "boolean" or column.name.endswith("_share"):
        return 0, 1, "a share lies between 0 and 1"
    if column.name == "orders_count":
        return 1, BEYOND_ANY_SHOP, "every customer has an order"
    if column.name == "overdue_days":
        return -LONGEST_HISTORY_DAYS, LONGEST_HISTORY_DAYS, "days fit into a century"
    if column.name.endswith("_days"):
        return 0, LONGEST_HISTORY_DAYS, "days are never negative, and fit into a century"
    if column.name.endswith(("_count", "_ratio", "_stddev", "_units", "_products", "_per_year")):
        return 0, BEYOND_ANY_SHOP, "what is counted or measured is never negative, and finite"
    return -BEYOND_ANY_SHOP, BEYOND_ANY_SHOP, "money is finite"


def _consistency(tonight: Profile) -> Iterator[Rule]:
    """What columns promise about each other; it still holds when a whole history was lost, so it needs no night before."""

    def value(column: str, statistic: str) -> float:
        return tonight.value(column, statistic) or 0.0

    yield from _close("repeat_orders_count", "mean", value("orders_count", "mean") - 1, "every order but the first is a repeat order")
    yield from _close("repeat_orders_count", "max", value("orders_count", "max") - 1, "every order but the first is a repeat order")
    for inner, outer in pairwise(NESTED_WINDOWS):
        for statistic in ("mean", "max"):
            yield Rule(inner, statistic, 0, value(outer, statistic), f"a shorter window holds no more than {outer}")
    age = value("customer_age_days", "max")
    yield Rule("days_since_last_order", "max", 0, age, "nobody's last order is older than the first order of all")
    yield Rule("active_span_days", "max", 0, age, "nobody was active for longer than the oldest customer is old")
    lifetime = value("days_since_last_order", "mean") + value("active_span_days", "mean")
    yield from _close("customer_age_days", "mean", lifetime, "from the first order to the last, and from there to as_of")
    yield Rule("historic_value", "max", SMALLEST_AMOUNT, BEYOND_ANY_SHOP, "somebody has spent something")
    have_come_back = value("repeat_order_days_count", "max") >= 1
    for gap in GAPS:
        yield from _close(gap, "null_share", value(GAPS[0], "null_share"), "all gaps are known for the same customers")
        if have_come_back:
            yield Rule(gap, "null_share", 0, 1 - 1 / max(tonight.rows_count, 1), "who has come back has a gap")
    if value("refunds_count", "max") >= 1:
        yield Rule("days_since_last_refund", "null_share", 0, 1 - 1 / max(tonight.rows_count, 1), "who was refunded has a last refund")


def _close(column: str, statistic: str, expected: float, promise: str) -> Iterator[Rule]:
    """Equal but for the six decimals that the profile keeps of a mean."""
    slack = 1e-5 * max(1.0, abs(expected))
    yield Rule(column, statistic, expected - slack, expected + slack, promise)


def _freshness(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    orders = (tonight.value("orders_count", "mean") or 0.0) * tonight.rows_count
    mean_gap = (tonight.value("customer_age_days", "max") or 0.0) / max(orders, 1.0)
    allowed = max(float(limits.still_days), SILENCE_FACTOR * mean_gap)
    yield Rule("days_since_last_order", "min", 0, allowed, "somebody has ordered lately, by the shop's own rate")


def _movement(tonight: Profile, before: Profile, limits: GateLimits) -> Iterator[Rule]:
    """What may have changed since the last night that passed."""
    customers = before.rows_count
    orders = (before.value("orders_count", "mean") or 0.0) * customers
    growth = (1 + limits.customers_grow_share) ** max(1, ceil((tonight.as_of - before.as_of).days / MONTH_DAYS))

    def remaining(count: float) -> float:
        return count - max(1.0, count * limits.customers_shrink_share)

    most = max(floor(customers * growth), customers + FEW)
    yield Rule(WHOLE_TABLE, "rows_count", ceil(remaining(customers)), most, "the customers since the last passed night")
    least_mean = remaining(orders) / max(tonight.rows_count, 1.0)
    yield Rule("orders_count", "mean", least_mean, BEYOND_ANY_SHOP, "orders do not vanish since the last passed night")
    if min(customers, tonight.rows_count) < FEW:
        return
    for column in LEVELS:
        level = before.value(column, "mean") or 0.0
        low, high = sorted((level / JUMP, level * JUMP))
        yield Rule(column, "mean", low, high, f"no jump by a factor of {JUMP:g} since the last passed night")
    for feature in PROFILED:
        if feature.nullable:
            known = 1 - (before.value(feature.name, "null_share") or 0.0)
            if known * customers >= FEW:
                yield Rule(feature.name, "null_share", 0, 1 - known * KEPT / growth, "nulls do not spread since the last passed night")
        elif (before.value(feature.name, "distinct_count") or 0.0) >= VARIED:
            yield Rule(feature.name, "distinct_count", 2, BEYOND_ANY_SHOP, "what varied on the last passed night still does")
