"""What must hold of `features.customer_features` before anyone is scored.

Bounds follow from the column's contract in `regulars.tables` (nullability, type, and what its name promises), from other
columns of the same night, from the orders in staging, and from the last night that passed all gates.
A statistic that the profile does not have breaks every rule about it.
"""

from __future__ import annotations

from collections.abc import Iterator

from quality.column_statistics import violation
from quality.drift import MONTH_DAYS, drift_rules
from quality.feature_profile import PROFILED, PROMISES, SPREAD, TABLE
from quality.limits import GateLimits
from quality.movement import FEW, growth, rows_rule, silence_allowed
from quality.profile import WHOLE_TABLE, Profile
from quality.rule import BEYOND_ANY_SHOP, Rule
from regulars.tables import Column

LONGEST_HISTORY_DAYS = 36_525.0
SMALLEST_AMOUNT = 0.01
VARIED = 3.0
KEPT = 0.9
LEVELS = ("historic_value", "average_order_value", "orders_count", "customer_age_days", "average_basket_units", "average_basket_products")
"""Means over the customers' whole past: they move slowly, so that a jump is a broken unit, a blown-up join or half a history."""
LEVEL_STEP = 0.25
AGEING = ("customer_age_days",)
"""Customers age by a day a day: since a cutoff of months ago that is no drift."""
DRAWN_TO_THE_SHOP = ("usual_gap_days",)
"""Who ordered once has the shop's own mean, so that most customers can pass from one bin to the next in a night. The gaps that
customers have had are judged."""
PLACED_SHARE = 0.5
"""Orders without an account, or refunded to nothing, are in staging and not in the features; seldom are they most."""


def feature_suite(
    tonight: Profile, before: Profile | None, evaluated: Profile | None, limits: GateLimits, placed: float | None = None
) -> list[Rule]:
    """All rules for one night; those that compare are left out where there is nothing to compare with.

    Args:
        evaluated: the spread of the features that the latest model was evaluated on.
        placed: orders with an account in staging that were placed before as_of.
    """
    rules = [*_table(tonight, placed), *_contract(), *_ranges(tonight), *_consistency(tonight), *_freshness(tonight, limits)]
    names = [column.name for column in SPREAD if column.name not in DRAWN_TO_THE_SHOP]
    if before is not None:
        rules += [*_movement(tonight, before, limits), *drift_rules(tonight, before, TABLE, names, "last_night", limits)]
    if evaluated is not None:
        rules += drift_rules(tonight, evaluated, TABLE, [name for name in names if name not in AGEING], "training", limits)
    return rules


def _rule(column: str, statistic: str, lower: float, upper: float, promise: str, *, is_acceptable: bool = False) -> Rule:
    return Rule(TABLE, column, statistic, lower, upper, promise, is_acceptable)


def _table(tonight: Profile, placed: float | None) -> Iterator[Rule]:
    rows = tonight.rows_count(TABLE)
    yield _rule(WHOLE_TABLE, "rows_count", 1, BEYOND_ANY_SHOP, "there are customers")
    yield _rule(WHOLE_TABLE, "distinct_count", rows, rows, "one row per customer")
    if placed is not None:
        fewest = PLACED_SHARE * placed if placed >= FEW else 1
        promise = "the orders of the customers are those in staging, each once"
        yield _rule(WHOLE_TABLE, "orders_count", fewest, placed, promise, is_acceptable=True)


def _contract() -> Iterator[Rule]:
    for column in PROFILED:
        if column.nullable:
            yield _rule(column.name, "null_share", 0, 1, "a share of nulls is a share")
        else:
            yield _rule(column.name, "null_share", 0, 0, "a required column holds no null")


def _ranges(tonight: Profile) -> Iterator[Rule]:
    for column in PROFILED:
        has_values = not (column.nullable and tonight.value(TABLE, column.name, "null_share") == 1)
        if column.type in ("integer", "double", "amount", "boolean") and has_values:
            lower, upper, promise = _range(column)
            for statistic in ("min", "max"):
                yield _rule(column.name, statistic, lower, upper, promise)


def _range(column: Column) -> tuple[float, float, str]:
    """What a column's type and name promise about every value of it."""
    if column.type == "boolean" or column.name.endswith("_share"):
        return 0, 1, "a share lies between 0 and 1"
    if column.name == "orders_count":
        return 1, BEYOND_ANY_SHOP, "every customer has an order"
    if column.name == "overdue_days":
        return -LONGEST_HISTORY_DAYS, LONGEST_HISTORY_DAYS, "days fit into a century"
    if column.name.endswith("_days") or column.name.startswith("days_"):
        return 0, LONGEST_HISTORY_DAYS, "days are never negative, and fit into a century"
    if column.name.endswith(("_count", "_ratio", "_stddev", "_units", "_products", "_per_year")):
        return 0, BEYOND_ANY_SHOP, "what is counted or measured is never negative, and finite"
    return -BEYOND_ANY_SHOP, BEYOND_ANY_SHOP, "money is finite"


def _consistency(tonight: Profile) -> Iterator[Rule]:
    """What columns promise each other, row by row; it needs no night before."""
    for words in PROMISES:
        yield _rule(WHOLE_TABLE, violation(words), 0, 0, words, is_acceptable=True)
    yield _rule("historic_value", "max", SMALLEST_AMOUNT, BEYOND_ANY_SHOP, "somebody has spent something")
    if (tonight.value(TABLE, "orders_count", "max") or 0) > 1 and tonight.rows_count(TABLE) >= FEW:
        yield _rule("orders_count", "bins_count", 2, BEYOND_ANY_SHOP, "customers differ")


def _freshness(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    orders = tonight.value(TABLE, WHOLE_TABLE, "orders_count") or 0.0
    allowed = silence_allowed(orders, tonight.value(TABLE, "customer_age_days", "max") or 0.0, limits)
    promise = "somebody has ordered lately, by the shop's own rate"
    yield _rule("days_since_last_order", "min", 0, allowed, promise, is_acceptable=True)


def _movement(tonight: Profile, before: Profile, limits: GateLimits) -> Iterator[Rule]:
    """What may have changed since the last night that passed."""
    customers, rows = before.rows_count(TABLE), tonight.rows_count(TABLE)
    days = (tonight.as_of - before.as_of).days
    yield rows_rule(TABLE, customers, days, limits, "the customers since the last good night")
    orders = before.value(TABLE, WHOLE_TABLE, "orders_count") or 0.0
    kept = orders - max(1.0, orders * limits.customers_shrink_share)
    promise = "orders do not vanish since the last good night"
    yield _rule(WHOLE_TABLE, "orders_count", kept, BEYOND_ANY_SHOP, promise, is_acceptable=True)
    if min(customers, rows) < FEW:
        return
    step = 1 + LEVEL_STEP * max(1.0, days / MONTH_DAYS) + FEW / min(customers, rows)
    for column in LEVELS:
        level = before.value(TABLE, column, "mean") or 0.0
        low, high = sorted((level / step, level * step))
        yield _rule(column, "mean", low, high, f"no jump by a factor of {step:.2g} since the last good night", is_acceptable=True)
    for feature in SPREAD:
        if feature.nullable:
            known = 1 - (before.value(TABLE, feature.name, "null_share") or 0.0)
            if known * customers >= FEW:
                most = 1 - known * KEPT / growth(days, limits)
                yield _rule(feature.name, "null_share", 0, most, "nulls do not spread since the last good night", is_acceptable=True)
        if (before.value(TABLE, feature.name, "bins_count") or 0.0) >= VARIED:
            promise = "what varied on the last good night still does"
            yield _rule(feature.name, "bins_count", 2, BEYOND_ANY_SHOP, promise, is_acceptable=True)
