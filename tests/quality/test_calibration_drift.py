"""The calibration after the fact: true to dbt's outcomes, quiet while what was said comes true, told and answered when it does not."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from models.registry import FORMULA_VERSION, Serving, decide
from models.training_need import why_training_is_due
from quality.gate import judge_scores
from quality.hindsight import MISS, hindsight_rules, measure_hindsight
from quality.limits import GateLimits
from quality.profile import Profile, save_profile
from quality.rule import Finding
from regulars.hindsight import IS_BEYOND, JudgedNight, Outcome, judged_customers, judged_nights
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse, open_warehouse
from tests.quality.gate_shop import LONG_AGO, TONIGHT
from tests.turning_shop import CHURN_DAYS, FIRST_NIGHT, VALUE_DAYS, fill, turning_home

NIGHTS = [FIRST_NIGHT + timedelta(days=CHURN_DAYS * number) for number in range(8)]
TURN = NIGHTS[4]
LIMITS = GateLimits()


def looked_back(warehouse: Warehouse, home: Home, night: date) -> Profile:
    tonight = Profile(night)
    measure_hindsight(warehouse, tonight, HomeSettings(home), LIMITS)
    save_profile(warehouse, "scores", tonight)
    return tonight


def decide_on(home: Home, trained_as_of: date) -> None:
    days = {"churn_horizon_days": CHURN_DAYS, "value_horizon_days": VALUE_DAYS}
    decide(home, Serving(trained_as_of=trained_as_of, version=FORMULA_VERSION, manifest_sha256=None, currency="EUR", why="", **days))


def test_what_happened_is_what_dbt_says_came_out(built_shop: Home) -> None:
    with open_warehouse(built_shop) as warehouse:
        sql, parameters = judged_customers(JudgedNight("churn", LONG_AGO, 90, "", ""), TONIGHT)
        customers, same, revenue, difference = warehouse.rows(
            f"""
            select count(*), sum(case when outcomes.has_churned = (judged.has_ordered = 0) then 1 else 0 end),
                sum(outcomes.net_revenue), sum(abs(outcomes.net_revenue - cast(judged.net_revenue as double precision)))
            from features.customer_outcomes as outcomes
            inner join ({sql}) as judged on outcomes.customer_id = judged.customer_id
            where outcomes.as_of_date = ? and outcomes.horizon_days = 90
            """,
            [*parameters, LONG_AGO],
        )[0]
        scored = warehouse.rows("select count(*) from scores.customer_scores where as_of_date = ?", [LONG_AGO])[0][0]
    assert customers == same == scored > 1_000
    assert revenue > 0
    assert difference == pytest.approx(0, abs=1e-6), "the horizon ends with the night, so no later refund is known"


def test_the_gate_of_the_scores_looks_back_and_stops_nobody(built_shop: Home) -> None:
    with open_warehouse(built_shop) as warehouse:
        judged = judge_scores(warehouse, TONIGHT, HomeSettings(built_shop), LIMITS)
    found = [finding for finding in judged.findings() if finding.rule.statistic == MISS]
    assert [finding.rule.column for finding in found] == ["churn_probability"], "no horizon of value has passed"
    assert found[0].is_met
    assert judged.tonight.value("customer_scores", "churn_probability", "hindsight_days_ago") == 90


def test_a_shop_that_turns_warns_and_asks_for_a_training_once(tmp_path: Path) -> None:
    home = fill(turning_home(tmp_path / "home"), NIGHTS, TURN, factor=0.5)
    decide_on(home, NIGHTS[-1] - timedelta(days=3))
    with open_warehouse(home) as warehouse:
        profiles = {night: looked_back(warehouse, home, night) for night in NIGHTS}
    beyond = {
        column: [p.value("customer_scores", column, IS_BEYOND) for p in profiles.values()]
        for column in ("churn_probability", "expected_value")
    }
    assert beyond["churn_probability"] == [None, 0, 0, 0, 0, 1, 1, 1], "the first horizon after the turn has passed on the sixth night"
    assert beyond["expected_value"] == [None, None, 0, 0, 0, 0, 1, 1], "half of the next one lies before the turn"
    assert profiles[NIGHTS[5]].value("customer_scores", "churn_probability", "hindsight_ratio") == pytest.approx(0.5, abs=0.1)
    rules = list(hindsight_rules(profiles[NIGHTS[-1]], LIMITS))
    findings = [Finding(rule, profiles[NIGHTS[-1]].values[rule.key]) for rule in rules]
    assert len(findings) == 2
    assert all(finding.is_met and finding.is_warning for finding in findings)

    # Trained three days before the last night: what the night of the turn's horizon found was known then.
    assert why_training_is_due(home, NIGHTS[-1]) is None
    decide_on(home, NIGHTS[5] - timedelta(days=3))
    assert why_training_is_due(home, NIGHTS[5] - timedelta(days=1)) is None
    why = why_training_is_due(home, NIGHTS[5])
    assert why is not None
    assert why.startswith("customers who ordered: 0.5")
    assert str(NIGHTS[5]) in why
    decide_on(home, NIGHTS[5])
    assert why_training_is_due(home, NIGHTS[5] + timedelta(days=1)) is None


def test_a_shop_that_does_not_turn_is_left_in_peace(tmp_path: Path) -> None:
    home = fill(turning_home(tmp_path / "home"), NIGHTS, TURN, factor=1.0, customers=300)
    with open_warehouse(home) as warehouse:
        profiles = [looked_back(warehouse, home, night) for night in NIGHTS]
    assert {p.value("customer_scores", column, IS_BEYOND) for p in profiles for column in ("churn_probability", "expected_value")} == {
        None,
        0,
    }


def test_a_night_is_judged_by_its_own_horizon(tmp_path: Path) -> None:
    home = fill(turning_home(tmp_path / "home"), NIGHTS[:3], TURN, factor=1.0, customers=50)
    with open_warehouse(home) as warehouse:
        warehouse.execute("update scores.customer_scores set churn_horizon_days = 100 where as_of_date = ?", [NIGHTS[1]])
        assert [night.as_of for night in judged_nights(warehouse, NIGHTS[2], "churn", CHURN_DAYS)] == [NIGHTS[0]]


@pytest.mark.parametrize(
    ("said", "happened", "deviation", "miss"),
    [(100, 130, 20, 1.0), (100, 200, 10, 1.804), (100, 50, 10, 1 / 0.696), (0, 5, 1, 1.0), (100, 0, 1, 1 / 0.0196)],
)
def test_a_miss_is_what_chance_does_not_explain(said: float, happened: float, deviation: float, miss: float) -> None:
    assert Outcome(500, said, happened, deviation).miss == pytest.approx(miss, rel=0.01)
