"""The rules, against customers who order by their law."""

import numpy as np
import pyarrow as pa
import pytest

from models.rules import Rules

CHURN_DAYS, VALUE_DAYS, PACE = 90, 365, 0.9


def rows(silence: np.ndarray, repeats: np.ndarray | int = 0, span: np.ndarray | int = 0) -> pa.Table:
    n = len(silence)
    return pa.table(
        {
            "days_since_last_order": silence,
            "repeat_order_days_count": np.broadcast_to(repeats, n).astype(float),
            "active_span_days": np.broadcast_to(span, n).astype(float),
            "average_order_value": np.full(n, 20.0),
        }
    )


def waits(since: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Days until the next order of who has been silent for `since` − h: P(none in t) = (since / (since + t)) ^ PACE."""
    return since * (rng.random(len(since)) ** (-1.0 / PACE) - 1.0)


def test_it_finds_the_pace_of_a_shop_and_foretells_it() -> None:
    rng = np.random.default_rng(1)
    age = rng.uniform(1, 700, 20_000)
    last, repeats, comes = np.zeros(len(age)), np.zeros(len(age)), np.ones(len(age), bool)
    while comes.any():
        following = last + waits(np.full(len(age), float(CHURN_DAYS)), rng)
        comes &= following < age
        last, repeats = np.where(comes, following, last), repeats + comes
    shop = rows(age - last, repeats, last)
    assert Rules.fitted(shop, CHURN_DAYS, VALUE_DAYS).pace == pytest.approx(PACE, rel=0.25)


def test_by_its_own_law_it_is_right() -> None:
    rng = np.random.default_rng(2)
    silence = rng.uniform(0, 200, 20_000)
    next_order = waits(CHURN_DAYS + silence, rng)
    said = Rules(CHURN_DAYS, VALUE_DAYS, PACE).predict(rows(silence))
    assert said.churn_probability.mean() == pytest.approx((next_order > CHURN_DAYS).mean(), abs=0.01)
    told = ~np.isnan(said.next_order_days[1]) & (next_order <= VALUE_DAYS)
    assert told.sum() > 5_000
    for share, days in zip((0.1, 0.5, 0.9), said.next_order_days, strict=True):
        assert (next_order <= days)[told].mean() == pytest.approx(share, abs=0.02)


def test_the_longer_the_silence_the_less_is_expected() -> None:
    prediction = Rules(CHURN_DAYS, VALUE_DAYS, PACE).predict(rows(np.array([0.0, 30.0, 90.0, 900.0])))
    assert (np.diff(prediction.churn_probability) > 0).all()
    assert (np.diff(prediction.expected_value) < 0).all()
    assert (prediction.value_if_ordered >= prediction.value_if_churned).all()
    assert prediction.expected_value == pytest.approx(20.0 * prediction.expected_orders)


def test_before_anything_is_seen_it_is_a_usual_shop() -> None:
    nobody = rows(np.zeros(0))
    new = Rules.fitted(nobody, CHURN_DAYS, VALUE_DAYS).predict(rows(np.zeros(1)))
    assert new.churn_probability[0] == pytest.approx(0.707, abs=0.001)
    assert len(Rules.fitted(nobody, CHURN_DAYS, VALUE_DAYS).predict(nobody)) == 0
