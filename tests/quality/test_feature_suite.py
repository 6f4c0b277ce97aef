"""The suite by itself, each rule judged by plain comparison; test_gate.py holds the library to the same verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from quality.feature_suite import Rule, feature_suite
from quality.limits import GateLimits
from quality.profile import STATISTICS, Profile
from regulars.tables import CUSTOMER_FEATURES
from tests.quality.feature_mutants import Mutation, mutants
from tests.quality.feature_tables import Table, good_features, profile_rows

TONIGHT = date(2011, 9, 10)
LAST_NIGHT = TONIGHT - timedelta(days=1)
MUTANTS = dict(mutants())


def profile(table: Table, as_of: date = TONIGHT) -> Profile:
    values = {(row["column_name"], name): row[name] for row in profile_rows(table, as_of) for name in STATISTICS if row[name] is not None}
    return Profile(as_of, values)


def broken(rules: Sequence[Rule], seen: Profile) -> list[Rule]:
    def holds(rule: Rule) -> bool:
        value = seen.value(rule.column, rule.statistic)
        return value is not None and rule.lower <= value <= rule.upper

    return [rule for rule in rules if not holds(rule)]


def judge(table: Table, before: Profile | None, limits: GateLimits | None = None) -> list[Rule]:
    tonight = profile(table)
    return broken(feature_suite(tonight, before, limits or GateLimits()), tonight)


BEFORE = profile(good_features(398, seed=8), LAST_NIGHT)


def test_good_features_pass_beside_the_night_before_and_alone() -> None:
    assert judge(good_features(), BEFORE) == []
    assert judge(good_features(), None) == []


@pytest.mark.parametrize("customers", [1, 2, 5, 30])
def test_a_shop_of_a_few_customers_passes(customers: int) -> None:
    assert judge(good_features(customers), profile(good_features(customers, seed=9), LAST_NIGHT)) == []


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 150


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_stopped(name: str) -> None:
    mutation: Mutation = MUTANTS[name]
    assert judge(mutation(good_features()), BEFORE), f"{name}: nobody noticed"


def test_every_column_of_the_contract_is_bounded_both_ways() -> None:
    tonight = profile(good_features())
    rules = feature_suite(tonight, None, GateLimits())
    bounded = {rule.column for rule in rules}
    assert {column.name for column in CUSTOMER_FEATURES.columns} - {"as_of_date"} <= bounded
    required = {rule.column for rule in rules if rule.statistic == "null_share" and rule.upper == 0}
    assert required == {column.name for column in CUSTOMER_FEATURES.columns if not column.nullable} - {"as_of_date"}


def test_no_two_rules_would_overwrite_each_other_in_the_results() -> None:
    rules = feature_suite(profile(good_features()), BEFORE, GateLimits())
    names = [(rule.column, rule.statistic, rule.promise) for rule in rules]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("customers", "passes"), [(400, True), (393, True), (391, False), (585, True), (605, False)])
def test_the_customers_may_shrink_by_a_fiftieth_and_grow_by_half(customers: int, passes: bool) -> None:
    before = profile(good_features(400, seed=8), LAST_NIGHT)
    moved = [rule for rule in judge(good_features(customers), before) if rule.statistic == "rows_count" and rule.column == "*"]
    assert (moved == []) == passes


def test_what_a_home_allows_is_allowed() -> None:
    before = profile(good_features(400, seed=8), LAST_NIGHT)
    generous = GateLimits(customers_shrink_share=0.6)
    assert judge(good_features(200), before)
    assert judge(good_features(200), before, generous) == []


def test_months_without_a_night_leave_room_to_grow() -> None:
    long_ago = profile(good_features(200, seed=8), TONIGHT - timedelta(days=90))
    assert judge(good_features(400), long_ago) == []
    assert judge(good_features(400), replace(long_ago, as_of=LAST_NIGHT))


@pytest.mark.parametrize(("days", "passes"), [(10, True), (30, False)])
def test_a_busy_shop_may_not_fall_silent(days: int, passes: bool) -> None:
    table = good_features()
    table["customer_age_days"] = table["customer_age_days"] + days
    table["days_since_last_order"] = table["days_since_last_order"] + days
    assert (judge(table, None) == []) == passes


def test_a_shop_with_rare_orders_may_be_silent_for_weeks() -> None:
    table = good_features(6)
    table["customer_age_days"] = table["customer_age_days"] + 60
    table["days_since_last_order"] = table["days_since_last_order"] + 60
    assert judge(table, None) == []
