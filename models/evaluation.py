"""Metrics of predictions against what happened, each with customers as its unit.

Ties in a prediction are given the mean of the actual values among them, so that no metric depends on the order of rows.
A metric that is not defined for the data, such as the AUC of a single class, is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.prediction import QUANTILES, Figures

BINS = 10
SMALLEST_PROBABILITY = 1e-4
SMALLEST_EXPECTED = 1e-6


def churn_metrics(probability: Figures, has_churned: NDArray[np.bool_]) -> dict[str, float]:
    """Metrics of a churn probability, shape (n,), against what happened, shape (n,)."""
    if len(probability) == 0:
        return dict.fromkeys(("roc_auc", "pr_auc", "log_loss", "brier", "ece"), float("nan"))
    churned = has_churned.astype(np.float64)
    return {
        "roc_auc": roc_auc(probability, churned),
        "pr_auc": average_precision(probability, churned),
        "log_loss": log_loss(probability, churned),
        "brier": float(np.mean((probability - churned) ** 2)),
        "ece": calibration_error(probability, churned),
    }


def value_metrics(expected: Figures, actual: Figures) -> dict[str, float]:
    """Metrics of an expected value in money, shape (n,), against the actual revenue, shape (n,)."""
    if len(expected) == 0:
        return dict.fromkeys(("mae", "rmse", "bias", "spearman", "gini", "top_tenth_share"), float("nan"))
    total = float(actual.sum())
    return {
        "mae": float(np.mean(np.abs(expected - actual))),
        "rmse": float(np.sqrt(np.mean((expected - actual) ** 2))),
        "bias": float(expected.sum()) / total if total > 0 else float("nan"),
        "spearman": _correlation(mid_ranks(expected), mid_ranks(actual)),
        "gini": normalised_gini(expected, actual),
        "top_tenth_share": top_share(expected, actual, 0.1),
    }


def quantile_metrics(quantiles: Figures, expected: Figures, actual: Figures) -> dict[str, float]:
    """Shares of customers who came out above a stated quantile; 1 − the quantile's level is promised.

    For each quantile of `QUANTILES` of all, `above_q90_share`, and of those for whom it is above 0, `above_positive_q90_share`;
    for the highest of these also by thirds of the expected value, the first the lowest.

    Args:
        quantiles: shape (len(QUANTILES), n).
    """
    metrics: dict[str, float] = {}
    for level, quantile in zip(QUANTILES, quantiles, strict=True):
        name, above, stated = f"q{level:.0%}".rstrip("%"), actual > quantile, np.flatnonzero(quantile > 0)
        metrics[f"above_{name}_share"] = _share(above)
        metrics[f"above_positive_{name}_share"] = _share(above[stated])
    thirds = np.array_split(stated[np.argsort(expected[stated], kind="stable")], 3)
    return metrics | {f"above_positive_{name}_share_third_{number}": _share(above[third]) for number, third in enumerate(thirds, start=1)}


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else float("nan")


def log_losses(probability: Figures, outcome: Figures) -> Figures:
    """Each customer's negative log likelihood; probabilities are kept `SMALLEST_PROBABILITY` away from 0 and 1."""
    p = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -(outcome * np.log(p) + (1 - outcome) * np.log1p(-p))


def tweedie_losses(expected: Figures, actual: Figures) -> Figures:
    """Each customer's deviance of a Tweedie distribution of power 1.5, up to what does not depend on what is expected."""
    root = np.sqrt(np.maximum(expected, SMALLEST_EXPECTED))
    return 2.0 * (actual / root + root)


def log_loss(probability: Figures, outcome: Figures) -> float:
    """Mean negative log likelihood."""
    return float(np.mean(log_losses(probability, outcome)))


def roc_auc(score: Figures, outcome: Figures) -> float:
    """Probability that an outcome of 1 has the higher score, ties counted half."""
    positives = float(outcome.sum())
    negatives = len(outcome) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    return float((mid_ranks(score)[outcome == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(score: Figures, outcome: Figures) -> float:
    """Area under the precision-recall curve, by steps."""
    positives = float(outcome.sum())
    if positives == 0:
        return float("nan")
    _, group = np.unique(-score, return_inverse=True)
    hits, sizes = np.bincount(group, outcome), np.bincount(group)
    return float(np.sum(hits / positives * np.cumsum(hits) / np.cumsum(sizes)))


def calibration_error(probability: Figures, outcome: Figures) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bins, probability - outcome, BINS)).sum() / len(outcome))


def normalised_gini(expected: Figures, actual: Figures) -> float:
    """Gini coefficient of the actual values in the order of the expected ones, over that in their own order; 1 is a perfect ranking."""
    perfect = _gini(actual, actual)
    return _gini(expected, actual) / perfect if perfect > 0 else float("nan")


def top_share(expected: Figures, actual: Figures, share: float) -> float:
    """Share of the actual total that the customers with the highest expected values, `share` of all, account for."""
    total = float(actual.sum())
    if total <= 0:
        return float("nan")
    ordered = np.concatenate([[0.0], np.cumsum(_in_order_of(expected, actual))])
    return float(np.interp(share * len(actual), np.arange(len(ordered)), ordered) / total)


def calibration_bins(probability: Figures, has_churned: NDArray[np.bool_]) -> list[tuple[int, int, float, float]]:
    """(bin, customers, mean predicted, share that churned) for each tenth of the predictions, 1 the lowest.

    Under ten customers make fewer bins.
    """
    order = np.argsort(probability, kind="stable")
    tenths = [part for part in np.array_split(order, BINS) if len(part)]
    return [
        (number, len(part), float(probability[part].mean()), float(has_churned[part].mean())) for number, part in enumerate(tenths, start=1)
    ]


def mid_ranks(values: Figures) -> Figures:
    """Ranks from 1, ties at the mean of theirs."""
    _, group = np.unique(values, return_inverse=True)
    sizes = np.bincount(group)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group]


def tie_means(ranked_by: Figures, actual: Figures) -> Figures:
    """The actual values in their own places, each the mean of those with the same rank."""
    _, group = np.unique(ranked_by, return_inverse=True)
    means: Figures = (np.bincount(group, actual) / np.bincount(group))[group]
    return means


def _in_order_of(expected: Figures, actual: Figures) -> Figures:
    """The actual values by expected value, highest first, ties at their mean."""
    _, group = np.unique(-expected, return_inverse=True)
    means = np.bincount(group, actual) / np.bincount(group)
    return means[np.sort(group)]


def _gini(expected: Figures, actual: Figures) -> float:
    total = float(actual.sum())
    if total <= 0:
        return float("nan")
    ordered = _in_order_of(expected, actual)
    cumulative = np.cumsum(ordered) / total
    return float(np.sum(2 * cumulative - ordered / total) / len(actual) - 1)


def _correlation(a: Figures, b: Figures) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else float("nan")
