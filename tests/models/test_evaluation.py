"""The metrics, against scikit-learn and SciPy where they have them."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, brier_score_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error
from sklearn.metrics import log_loss as sklearn_log_loss

from models.evaluation import calibration_bins, churn_metrics, normalised_gini, tie_means, top_share, value_metrics

RNG = np.random.default_rng(3)


def churn_case(ties: bool) -> tuple[np.ndarray, np.ndarray]:
    probability = np.clip(RNG.beta(2, 2, 800), 0.01, 0.99)
    if ties:
        probability = np.round(probability, 1)
    return probability, RNG.random(800) < probability


@pytest.mark.parametrize("ties", [False, True])
def test_churn_metrics_are_those_of_scikit_learn(ties: bool) -> None:
    probability, churned = churn_case(ties)
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    metrics = churn_metrics(probability, churned)
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(churned, probability))
    assert metrics["pr_auc"] == pytest.approx(average_precision_score(churned, probability))
    assert metrics["brier"] == pytest.approx(brier_score_loss(churned, probability))
    assert metrics["log_loss"] == pytest.approx(sklearn_log_loss(churned, clipped))


@pytest.mark.parametrize("zeros", [0.0, 0.6])
def test_value_metrics_are_those_of_scikit_learn_and_scipy(zeros: float) -> None:
    actual = np.where(RNG.random(500) < zeros, 0.0, RNG.lognormal(3, 1, 500))
    expected = np.round(actual * RNG.lognormal(0, 0.8, 500) + RNG.gamma(1, 5, 500), 0)
    metrics = value_metrics(expected, actual)
    assert metrics["mae"] == pytest.approx(mean_absolute_error(actual, expected))
    assert metrics["rmse"] == pytest.approx(root_mean_squared_error(actual, expected))
    assert metrics["spearman"] == pytest.approx(spearmanr(expected, actual).statistic)
    assert metrics["bias"] == pytest.approx(expected.sum() / actual.sum())


def test_calibration_error_is_the_weighted_gap_of_ten_equal_bins() -> None:
    probability = np.array([0.05, 0.05, 0.95, 0.95])
    churned = np.array([False, True, True, True])
    assert churn_metrics(probability, churned)["ece"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)


def test_gini_is_one_for_the_perfect_order_minus_one_for_the_reverse_and_zero_for_none() -> None:
    actual = np.arange(1.0, 101.0)
    assert normalised_gini(actual * 7, actual) == pytest.approx(1.0)
    assert normalised_gini(-actual, actual) == pytest.approx(-1.0)
    assert normalised_gini(np.ones(100), actual) == pytest.approx(0.0)


def test_the_top_tenth_holds_a_tenth_of_the_customers() -> None:
    actual = np.r_[np.full(10, 90.0), np.full(90, 1.0)]
    assert top_share(actual, actual, 0.1) == pytest.approx(900 / 990)
    assert top_share(np.zeros(100), actual, 0.1) == pytest.approx(0.1)
    assert top_share(actual[:15], actual[:15], 0.1) == pytest.approx(1.5 * 90 / 905)


def test_no_metric_depends_on_the_order_of_rows() -> None:
    probability, churned = churn_case(ties=True)
    actual = np.where(churned, 0.0, RNG.lognormal(3, 1, len(churned)))
    order = RNG.permutation(len(churned))
    for metric, value in churn_metrics(probability, churned).items():
        assert churn_metrics(probability[order], churned[order])[metric] == pytest.approx(value), metric
    for metric, value in value_metrics(probability, actual).items():
        assert value_metrics(probability[order], actual[order])[metric] == pytest.approx(value), metric


def test_what_is_not_defined_is_nan_and_raises_nothing() -> None:
    one_class = churn_metrics(np.array([0.2, 0.3]), np.array([True, True]))
    assert math.isnan(one_class["roc_auc"])
    assert one_class["log_loss"] > 0
    no_revenue = value_metrics(np.array([1.0, 2.0]), np.zeros(2))
    assert math.isnan(no_revenue["gini"])
    assert math.isnan(no_revenue["bias"])
    assert all(
        math.isnan(value) for value in {**churn_metrics(np.zeros(0), np.zeros(0, bool)), **value_metrics(np.zeros(0), np.zeros(0))}.values()
    )


def test_calibration_bins_hold_every_customer_once_in_ascending_order() -> None:
    probability, churned = churn_case(ties=False)
    bins = calibration_bins(probability, churned)
    assert [number for number, *_ in bins] == list(range(1, 11))
    assert sum(count for _, count, _, _ in bins) == len(churned)
    predicted = [mean for _, _, mean, _ in bins]
    assert predicted == sorted(predicted)
    assert sum(count * actual for _, count, _, actual in bins) == pytest.approx(churned.sum())
    assert len(calibration_bins(probability[:3], churned[:3])) == 3


def test_ties_count_as_their_mean_in_their_own_places() -> None:
    assert tie_means(np.array([2.0, 1.0, 2.0, 3.0]), np.array([10.0, 7.0, 20.0, 1.0])).tolist() == [15.0, 7.0, 15.0, 1.0]
