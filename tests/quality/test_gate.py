"""The gate as a night runs it, with the library at work."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from quality.feature_suite import feature_suite
from quality.gate import check_features
from quality.limits import GateLimits, load_limits
from quality.suite_run import run_suite
from regulars.errors import ConfigurationError, GateFailed
from regulars.home import Home
from regulars.warehouse import open_warehouse
from tests.quality.conftest import Rows
from tests.quality.feature_mutants import mutants
from tests.quality.feature_tables import good_features, profile_rows
from tests.quality.test_feature_suite import BEFORE, MUTANTS, broken, profile

TONIGHT = date(2011, 9, 10)
Fill = Callable[[date, Rows], None]

SOME_MUTANTS = (
    "emptied",
    "money in pence",
    "all gaps lost",
    "orders_90d_count negative in one row",
    "historic_value infinite in one row",
    "usual_gap_days nulled",
    "refunds_count not built",
)


def results(home: Home, as_of: date = TONIGHT) -> list[tuple[str, str, bool, str]]:
    with open_warehouse(home) as warehouse:
        columns = "expectation, column_name, is_met, observed"
        return warehouse.rows(f"select {columns} from quality.gate_results where as_of_date = ? order by {columns}", [as_of])


def test_the_library_judges_every_rule_as_plain_comparison_does() -> None:
    for name in (*SOME_MUTANTS, None):
        mutate = MUTANTS[name] if name else lambda table: table
        tonight = profile(mutate(good_features()))
        rules = feature_suite(tonight, BEFORE, GateLimits())
        findings = run_suite(rules, tonight.frame(sorted({(rule.column, rule.statistic) for rule in rules})))
        assert all(finding.is_evaluated for finding in findings)
        assert [finding.rule for finding in findings] == rules
        assert [finding.rule for finding in findings if not finding.is_met] == broken(rules, tonight), name


def test_a_frame_without_its_row_breaks_every_rule() -> None:
    tonight = profile(good_features())
    rules = feature_suite(tonight, None, GateLimits())
    frame = tonight.frame(sorted({(rule.column, rule.statistic) for rule in rules}))
    assert not any(finding.is_met for finding in run_suite(rules, frame.iloc[:0]))
    assert not any(finding.is_met for finding in run_suite(rules, frame.iloc[[0, 0]]))


def test_a_column_that_the_frame_lacks_breaks_its_rules_alone() -> None:
    tonight = profile(good_features())
    rules = feature_suite(tonight, None, GateLimits())
    frame = tonight.frame(sorted({(rule.column, rule.statistic) for rule in rules})).drop(columns="orders_count.min")
    assert {(f.rule.column, f.rule.statistic) for f in run_suite(rules, frame) if not f.is_met} == {("orders_count", "min")}


def test_a_good_night_passes_and_is_written_down_twice_alike(home: Home, fill_profile: Fill) -> None:
    fill_profile(TONIGHT, profile_rows(good_features(), TONIGHT))
    check_features(home, TONIGHT, "night")
    first = results(home)
    assert len(first) > 200
    assert all(is_met for _, _, is_met, _ in first)
    check_features(home, TONIGHT, "night")
    assert results(home) == first


def test_a_bad_night_is_stopped_by_name_and_is_no_measure_for_the_next(home: Home, fill_profile: Fill) -> None:
    nights = [TONIGHT + timedelta(days=number) for number in range(3)]
    good = good_features()
    fill_profile(nights[0], profile_rows(good, nights[0]))
    check_features(home, nights[0], "night")

    fill_profile(nights[1], profile_rows({name: values[:200] for name, values in good.items()}, nights[1]))
    with pytest.raises(GateFailed) as failure:
        check_features(home, nights[1], "night")
    message = str(failure.value)
    assert "the whole table: rows is 200, expected between 392 and 600" in message
    assert "nothing was sent" in message
    assert f"{nights[0]}, the last night that passed" in message
    assert "config/quality.yml" in message
    assert failure.value.exit_code == 3
    unmet = [name for name, column, is_met, _ in results(home, nights[1]) if not is_met and column == ""]
    assert unmet == ["rows: the customers since the last passed night"]

    fill_profile(nights[2], profile_rows(good, nights[2]))
    check_features(home, nights[2], "night")


def test_an_empty_night_is_stopped(home: Home, fill_profile: Fill) -> None:
    fill_profile(TONIGHT, profile_rows(dict(mutants())["emptied"](good_features()), TONIGHT))
    with pytest.raises(GateFailed, match=r"rows is 0, expected at least 1; there are customers"):
        check_features(home, TONIGHT, "night")


def test_a_night_that_dbt_has_not_profiled_is_stopped(home: Home, fill_profile: Fill) -> None:
    with pytest.raises(GateFailed, match="does not exist"):
        check_features(home, TONIGHT, "night")
    fill_profile(TONIGHT, [])
    with pytest.raises(GateFailed, match="rows is missing, expected at least 1"):
        check_features(home, TONIGHT, "night")


def test_a_profile_with_two_rows_for_a_column_is_stopped(home: Home, fill_profile: Fill) -> None:
    rows = profile_rows(good_features(), TONIGHT)
    fill_profile(TONIGHT, [*rows, rows[3]])
    with pytest.raises(GateFailed, match="holds days_since_last_order more than once"):
        check_features(home, TONIGHT, "night")


def test_the_library_makes_no_analytics_and_no_file(home: Home, fill_profile: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "True")
    fill_profile(TONIGHT, profile_rows(good_features(), TONIGHT))
    monkeypatch.chdir(home.path)
    check_features(home, TONIGHT, "night")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"
    assert {path.name for path in home.path.iterdir()} == {"config", "var"}
    assert {path.name for path in home.var.iterdir()} <= {"warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.lock", "state", "spill"}


def test_limits_come_from_the_home(home: Home) -> None:
    assert load_limits(home) == GateLimits()
    file = home.config / "quality.yml"
    file.write_text("customers_shrink_share: 0.3\n")
    assert load_limits(home).customers_shrink_share == 0.3
    file.write_text("customers_shrink: 0.3\n")
    with pytest.raises(ConfigurationError, match="did you mean 'customers_shrink_share'"):
        load_limits(home)
