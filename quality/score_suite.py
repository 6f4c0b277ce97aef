"""What must hold of the scores before anyone is put on a list because of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quality.column_statistics import violation
from quality.drift import MONTH_DAYS, drift_rules
from quality.hindsight import hindsight_rules
from quality.limits import GateLimits
from quality.movement import FEW, rows_rule
from quality.profile import WHOLE_TABLE, Profile
from quality.rule import BEYOND_ANY_SHOP, Rule
from quality.score_profile import PREDICTED, PROFILED, TABLE
from quality.score_training import TENTHS
from regulars.tables import CUSTOMER_FEATURES

FOLLOWS = 0.9
"""Correlation of a customer's scores on two nights in a row; shuffled scores have none."""
FOLLOWS_LESS_A_MONTH = 0.3
LEVEL_STEP = 0.25
ENOUGH = 200.0
"""Customers from whom a correlation can be judged."""


def score_suite(
    tonight: Profile, before: Profile | None, evaluated: Profile | None, features: Profile, promises: dict[str, str], limits: GateLimits
) -> list[Rule]:
    """All rules for one night; those that compare are left out where there is nothing to compare with."""
    rules = [*_table(tonight, features), *_contract(promises), *_difference(tonight, features), *_sense(tonight)]
    if before is not None:
        # A night that was scored before there was such a column is no measure of it.
        names = [column.name for column in PREDICTED if before.value(TABLE, column.name, "mean") is not None]
        rules += [*_movement(tonight, before, limits, names), *drift_rules(tonight, before, TABLE, names, "last_night", limits)]
    if evaluated is not None:
        rules += drift_rules(tonight, evaluated, TABLE, [TENTHS], "training", limits)
    return [*rules, *hindsight_rules(tonight, limits)]


def _rule(column: str, statistic: str, lower: float, upper: float, promise: str, *, is_acceptable: bool = False) -> Rule:
    return Rule(TABLE, column, statistic, lower, upper, promise, is_acceptable)


def _table(tonight: Profile, features: Profile) -> Iterator[Rule]:
    customers, rows = features.rows_count(CUSTOMER_FEATURES.name), tonight.rows_count(TABLE)
    yield _rule(WHOLE_TABLE, "rows_count", max(1.0, customers), max(1.0, customers), "every customer is scored once")
    yield _rule(WHOLE_TABLE, "distinct_count", rows, rows, "one row per customer")
    yield _rule(WHOLE_TABLE, "unscored_count", 0, 0, "who has features has a score, and a finite one")
    yield _rule(WHOLE_TABLE, "unknown_count", 0, 0, "who has a score has features")
    yield _rule("model_version", "distinct_count", 1, 1, "one model scores a night")
    yield _rule("scored_by", "distinct_count", 1, 1, "one rung scores a night")


def _contract(promises: dict[str, str]) -> Iterator[Rule]:
    for column in PROFILED:
        if column.nullable and column not in PREDICTED:
            continue
        yield _rule(column.name, "null_share", 0, 0, "a required column holds no null")
    for statistic in ("min", "max"):
        yield _rule("churn_probability", statistic, 0, 1, "a probability lies between 0 and 1")
        for amount in ("expected_value", "value_at_risk"):
            yield _rule(amount, statistic, -BEYOND_ANY_SHOP, BEYOND_ANY_SHOP, "money is finite")
        yield _rule("expected_orders_count", statistic, 0, BEYOND_ANY_SHOP, "a number of orders is finite and not negative")
    for words in promises:
        yield _rule(WHOLE_TABLE, violation(words), 0, 0, words)


def _difference(tonight: Profile, features: Profile) -> Iterator[Rule]:
    """Predictions differ where customers do: those of a shop that opened with one sale may be all the same."""
    differing = [features.value(CUSTOMER_FEATURES.name, name, "bins_count") for name in ("days_since_last_order", "orders_count")]
    if tonight.rows_count(TABLE) >= ENOUGH and any(bins is None or bins > 1 for bins in differing):
        for column in PREDICTED:
            yield _rule(column.name, "bins_count", 2, BEYOND_ANY_SHOP, "customers differ")


def _sense(tonight: Profile) -> Iterator[Rule]:
    """What any model has learned: who ordered lately is less likely to have churned, who spent more will spend more."""
    if tonight.rows_count(TABLE) < ENOUGH:
        return
    promise = "who has ordered lately is less likely to churn"
    yield _rule(WHOLE_TABLE, "churn_follows_orders", -1, 0, promise, is_acceptable=True)
    yield _rule(WHOLE_TABLE, "value_follows_spend", 0, 1, "more is expected of who has spent more", is_acceptable=True)


def _movement(tonight: Profile, before: Profile, limits: GateLimits, names: Sequence[str]) -> Iterator[Rule]:
    days = (tonight.as_of - before.as_of).days
    months = days / MONTH_DAYS
    yield rows_rule(TABLE, before.rows_count(TABLE), days, limits, "the customers since the last good night")
    customers = min(before.rows_count(TABLE), tonight.rows_count(TABLE))
    if customers < FEW:
        return
    step = 1 + LEVEL_STEP * max(1.0, months) + FEW / customers
    for name in names:
        level = before.value(TABLE, name, "mean") or 0.0
        low, high = sorted((level / step, level * step))
        yield _rule(name, "mean", low, high, f"no jump by a factor of {step:.2g} since the last good night", is_acceptable=True)
        usual = before.value(TABLE, name, "follows_last_night")
        if (tonight.value(TABLE, WHOLE_TABLE, "scored_before_count") or 0) >= ENOUGH:
            least = FOLLOWS - FOLLOWS_LESS_A_MONTH * months
            least = min(least, (usual or FOLLOWS) - 0.1 - FOLLOWS_LESS_A_MONTH * months)
            promise = "customers keep about the scores of the last good night"
            yield _rule(name, "follows_last_night", max(0.0, least), 1, promise, is_acceptable=True)
