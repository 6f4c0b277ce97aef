"""Quantiles of the value against a truth that is known."""

import numpy as np
import pytest
from scipy.special import logit

from models.evaluation import quantile_metrics
from models.value_quantiles import FEWEST_SPENDERS, KNOTS, ValueQuantiles

CUSTOMERS = 40_000


def shop(seed: int, level: float = 0.0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order probabilities, expected values and values: who is likelier to order scatters less about what is expected."""
    draw = np.random.default_rng(seed)
    likely = draw.beta(0.8, 1.2, CUSTOMERS)
    if_any = draw.lognormal(4.0, 1.0, CUSTOMERS) * scale
    deviation = 1.2 - 0.8 * likely
    ratio = np.exp(draw.normal(-0.5 * deviation**2, deviation))
    comes = draw.random(CUSTOMERS) < 1 / (1 + np.exp(-logit(np.clip(likely, 1e-9, 1 - 1e-9)) - level))
    return likely, likely * if_any, np.where(comes, if_any * ratio, 0.0)


@pytest.fixture(scope="module")
def quantiles() -> ValueQuantiles:
    fitted = ValueQuantiles.fitted(*shop(1), weights=np.ones(CUSTOMERS))
    assert fitted is not None
    return fitted


@pytest.mark.parametrize("level", [-0.2, 0.0, 0.2])
def test_one_in_ten_comes_out_above_overall_and_in_each_third(quantiles: ValueQuantiles, level: float) -> None:
    likely, expected, actual = shop(2, level)
    shares = quantile_metrics(quantiles.of(likely, expected), expected, actual)
    assert shares["above_q90_share"] <= 0.12
    for name in ("share", "share_third_1", "share_third_2", "share_third_3"):
        assert shares[f"above_positive_q90_{name}"] == pytest.approx(0.1, abs=0.02), name
    assert shares["above_positive_q80_share"] == pytest.approx(0.2, abs=0.03)


def test_it_is_honest_about_who_probably_orders_nothing(quantiles: ValueQuantiles) -> None:
    likely = np.array([0.02, 0.3, 0.95])
    given = quantiles.of(likely, likely * 100)
    assert given[:, 0].tolist() == [0, 0, 0]
    assert given[0, 1] == 0 < given[2, 1]
    assert (np.diff(given, axis=0) >= 0).all()
    assert given[0, 2] > 0


def test_quantiles_scale_with_the_currency() -> None:
    here, there = (ValueQuantiles.fitted(*shop(1, scale=scale), weights=np.ones(CUSTOMERS)) for scale in (1.0, 2.0**40))
    assert here is not None
    assert there is not None
    assert np.allclose(here.factors, there.factors, rtol=1e-12)


def test_recent_and_complete_windows_weigh_more() -> None:
    likely, expected, actual = shop(1)
    weights = np.ones(CUSTOMERS)
    weights[CUSTOMERS // 2 :] = 1e-3
    actual[CUSTOMERS // 2 :] *= 5
    fitted, first = ValueQuantiles.fitted(likely, expected, actual, weights), slice(0, CUSTOMERS // 2)
    alone = ValueQuantiles.fitted(likely[first], expected[first], actual[first], weights[first])
    assert fitted is not None
    assert alone is not None
    assert fitted.of(likely, expected) == pytest.approx(alone.of(likely, expected), rel=0.05)


def test_a_shop_without_revenue_states_0_and_one_with_too_little_nothing() -> None:
    likely, expected, actual = (part[:FEWEST_SPENDERS] for part in shop(1))
    weights = np.ones(FEWEST_SPENDERS)
    nothing = ValueQuantiles.fitted(likely, expected, np.zeros(FEWEST_SPENDERS), weights)
    assert nothing == ValueQuantiles(np.zeros((3, len(KNOTS))).tolist())
    assert ValueQuantiles.fitted(likely, expected, np.minimum(actual, 1.0), weights) is None
