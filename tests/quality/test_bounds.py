"""The arithmetic of the bounds by itself."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from quality.drift import drift_rules, stability_index
from quality.limits import GateLimits
from quality.movement import lack_believed, share_believed, silence_allowed
from quality.profile import WHOLE_TABLE, Profile
from quality.volume import fewest, volume_rules

TONIGHT = date(2025, 7, 1)


@pytest.mark.parametrize(("usual", "least"), [(0, 0), (3, 0), (10, 0), (14, 1), (40, 14), (100, 50), (5_000, 2_500)])
def test_a_small_shop_is_not_stopped_by_chance_and_a_large_one_by_half(usual: float, least: float) -> None:
    assert fewest(usual, 0.5) == pytest.approx(least, abs=1)


def test_a_shop_with_three_orders_a_day_is_believed_for_a_year() -> None:
    orders = np.random.default_rng(3).poisson(3, 365 + 28)
    stopped = [day for day in range(28, len(orders)) if orders[day] < fewest(float(np.median(orders[day - 28 : day : 7])), 0.5)]
    assert stopped == []


def test_a_day_that_is_declared_quiet_promises_nothing() -> None:
    day = TONIGHT - timedelta(days=1)
    profile = Profile(TONIGHT, {("orders", WHOLE_TABLE, f"placed_on_{day}"): 0.0, ("orders", WHOLE_TABLE, f"usual_on_{day}"): 900.0})
    for level, least in ((1.4, 450), (0.8, 360), (0.1, 225)):
        profile.values["orders", WHOLE_TABLE, "level_of_6_days"] = level
        assert [rule.lower for rule in volume_rules(profile, GateLimits())] == [least]
    assert not list(volume_rules(profile, GateLimits(quiet_dates=(day,))))


def histogram(values: np.ndarray) -> dict[int | None, int]:
    places, counts = np.unique(np.floor(values * 4).astype(int), return_counts=True)
    return dict(zip(places.tolist(), counts.tolist(), strict=True))


def test_the_index_is_that_of_the_literature() -> None:
    then = dict.fromkeys(range(10), 100)
    now = {number: 50 if number < 5 else 150 for number in range(10)}
    expected = 5 * (0.05 - 0.1) * np.log(0.5) + 5 * (0.15 - 0.1) * np.log(1.5)
    assert stability_index(now, then)[0] == pytest.approx(expected, rel=0.02)
    assert stability_index(then, then)[0] == 0


@pytest.mark.parametrize("customers", [60, 400, 5_000])
def test_samples_of_one_distribution_do_not_drift(customers: int) -> None:
    draw = np.random.default_rng(11)
    beyond = 0
    for _ in range(200):
        index, chance = stability_index(histogram(draw.normal(0, 3, customers)), histogram(draw.normal(0, 3, customers)))
        beyond += index > 0.2 + chance
    assert beyond == 0


def test_a_shift_is_stopped_overnight_and_told_after_months() -> None:
    draw = np.random.default_rng(5)
    then, now = histogram(draw.normal(0, 2, 4_000)), histogram(draw.normal(1.1, 2, 4_000))
    for days, stops in ((1, True), (60, False)):
        before = Profile(TONIGHT - timedelta(days=days), histograms={("t", "c"): then})
        tonight = Profile(TONIGHT, histograms={("t", "c"): now})
        rule = next(drift_rules(tonight, before, "t", ["c"], "last_night", GateLimits()))
        assert (tonight.values[rule.key] > rule.upper) == stops


def test_few_rows_may_show_what_many_may_not() -> None:
    assert share_believed(0.0, 10, 0.01) > 0.3
    assert share_believed(0.0, 100_000, 0.01) < 0.02
    assert share_believed(0.2, 30, 0.01) < 0.7


def test_silence_is_measured_by_the_shops_own_rate() -> None:
    assert silence_allowed(10_000, 900, GateLimits()) == 14
    assert silence_allowed(10, 900, GateLimits()) == 14 * 90


def test_new_rows_of_a_large_shop_may_lack_more_than_chance_explains_but_not_half() -> None:
    assert lack_believed(0.29, 100_000, 0.01) > 0.3087, "who is new has not said everything yet"
    for usual in (0.0, 0.02, 0.3, 0.7, 0.95):
        assert lack_believed(usual, 1e6, 0.01) < (1 + usual) / 2, "half of it is lost"
    assert lack_believed(0.0, 1e6, 0.01) < 0.02, "what nobody ever lacked"
