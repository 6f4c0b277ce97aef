"""Platt scaling."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.calibration import Calibration, fitted_calibration, sigmoid
from models.evaluation import calibration_error

RNG = np.random.default_rng(5)


def test_it_is_logistic_regression_on_the_logits() -> None:
    logits = RNG.normal(0, 2, 5000)
    churned = RNG.random(5000) < sigmoid(0.6 * logits - 0.8)
    ours = fitted_calibration(logits, churned)
    theirs = LogisticRegression(C=1e9).fit(logits[:, None], churned)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=0.01)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], rel=0.02)


def test_overconfident_logits_come_true_afterwards() -> None:
    logits = RNG.normal(0, 1, 20_000)
    churned = RNG.random(20_000) < sigmoid(logits)
    overconfident = 3 * logits + 1
    assert calibration_error(sigmoid(overconfident), churned.astype(float)) > 0.1
    assert calibration_error(fitted_calibration(overconfident, churned).probability(overconfident), churned.astype(float)) < 0.02


@pytest.mark.parametrize("churned", [np.ones(50, bool), np.zeros(50, bool), np.zeros(0, bool)])
def test_a_single_outcome_teaches_nothing(churned: np.ndarray) -> None:
    assert fitted_calibration(np.linspace(-1, 1, len(churned)), churned) == Calibration()


def test_logits_that_rank_the_wrong_way_round_are_left_as_they_are() -> None:
    logits = RNG.normal(0, 1, 4000)
    assert fitted_calibration(logits, RNG.random(4000) < sigmoid(-2 * logits)) == Calibration()


def test_extreme_logits_stay_within_0_and_1() -> None:
    probability = Calibration(2.0, 1.0).probability(np.array([-1e9, -50.0, 0.0, 50.0, 1e9]))
    assert np.isfinite(probability).all()
    assert (np.diff(probability) >= 0).all()
