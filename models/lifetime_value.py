"""The lifetime-value model: expected net revenue over the value horizon, given an order within the churn horizon and given none.

Two conditional expectations are learned, each from the training customers to whom the condition happened: those who
ordered within the churn horizon, and those who churned. What is expected of a customer of whom neither is known is
their mixture by the churn probability (see `models.prediction.Prediction`), and value at risk is their difference. Where
the value horizon is not longer than the churn horizon, a customer without an order in the one has none in the other, and
is worth 0 without any learning: the model then is a hurdle model.

Both are Tweedie regressions (power 1.5), which learn from zeros and amounts alike: G. Smyth and B. Jørgensen (2002),
Fitting Tweedie's Compound Poisson Model to Insurance Claims Data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.boosting import Columns, Objective, fit, margins
from models.feature_matrix import Matrix
from models.prediction import Figures
from models.training_frame import TrainingFrame

OBJECTIVE = Objective({"objective": "reg:tweedie", "tweedie_variance_power": 1.5, "eval_metric": "tweedie-nloglik@1.5"}, {})
FEWEST_SPENDERS = 50
LARGEST_MARGIN = 20.0
LEVEL_BOUNDS = (0.5, 2.0)
PRIOR_SPENDERS = 100.0
"""Weight, in customers who spent, of leaving the level as it was learned."""


@dataclass(frozen=True)
class ConditionalValue:
    """Expected value of the customers to whom one condition happens: scale × exp(margin), or the scale alone without a booster.

    The scale, in money, is the mean of the training customers, brought to the level of the cutoff that shows it: trees
    learn ratios, whatever the currency.
    """

    scale: float
    booster: xgb.Booster | None = None

    def expected(self, matrix: Matrix, columns: Columns) -> Figures:
        if self.booster is None:
            return np.full(len(matrix), self.scale)
        return _amounts(self.scale, margins(self.booster, matrix, columns))


@dataclass(frozen=True)
class ValueModel:
    """The two expectations, and the factor from the horizon that they were learned over to the value horizon."""

    if_ordered: ConditionalValue
    if_churned: ConditionalValue
    extension: float = 1.0

    def expected_if_ordered(self, matrix: Matrix, columns: Columns) -> Figures:
        return self.if_ordered.expected(matrix, columns) * self.extension

    def expected_if_churned(self, matrix: Matrix, columns: Columns) -> Figures:
        return self.if_churned.expected(matrix, columns) * self.extension


def fit_value(frame: TrainingFrame, matrix: Matrix, columns: Columns, level_cutoff: date, extension: float = 1.0) -> ValueModel:
    """Fit on the rows whose value is known.

    Args:
        matrix: the frame's features, shape (rows, features).
        level_cutoff: the cutoff to whose level of spending the expectations are brought, see `models.season`.
        extension: see `horizon_extension`.
    """
    at_level = frame.is_at(level_cutoff)
    ordered = _fit_condition(frame, matrix, columns, frame.has_value & ~frame.has_churned, at_level)
    churned = _fit_condition(frame, matrix, columns, frame.has_value & frame.has_churned, at_level)
    return ValueModel(ordered, churned, extension)


def horizon_extension(frame: TrainingFrame, learned_days: int, wanted_days: int) -> float:
    """Factor from the revenue of `learned_days` to that of `wanted_days`, where no label covers the latter yet.

    The customers of the first cutoff are followed over the later ones: their revenue falls by a rate d a day, and the
    factor is the ratio of the integrals of exp(−d t) over the two horizons. Without a second cutoff d is 0.
    """
    if wanted_days <= learned_days or len(frame) == 0:
        return 1.0
    cohort = np.isin(frame.customers, frame.customers[frame.cutoffs == frame.cutoffs.min()]) & frame.has_value
    dates, position = np.unique(frame.cutoffs[cohort], return_inverse=True)
    revenue = np.bincount(position, frame.value[cohort], len(dates))
    days = (dates - dates[:1]).astype(np.float64)
    seen = revenue > 0
    decay = max(-float(np.polyfit(days[seen], np.log(revenue[seen]), 1)[0]), 0.0) if np.count_nonzero(seen) > 1 else 0.0
    if decay * wanted_days < 1e-9:
        return wanted_days / learned_days
    return float(np.expm1(-decay * wanted_days) / np.expm1(-decay * learned_days))


def _fit_condition(
    frame: TrainingFrame, matrix: Matrix, columns: Columns, chosen: NDArray[np.bool_], at_level: NDArray[np.bool_]
) -> ConditionalValue:
    label = frame.value[chosen]
    scale = float(label.mean()) if len(label) else 0.0
    if np.count_nonzero(label) < FEWEST_SPENDERS:
        return ConditionalValue(scale)
    fitted = fit(matrix[chosen], label / scale, frame.customers[chosen], columns, OBJECTIVE, 1.0)
    at_level = at_level[chosen]
    level = _level(label[at_level], _amounts(scale, fitted.unseen_margin[at_level]))
    return ConditionalValue(scale * level, fitted.booster)


def _level(actual: Figures, unseen: Figures) -> float:
    """Actual over expected, drawn to 1 the fewer customers spent."""
    spenders = int(np.count_nonzero(actual))
    if spenders == 0 or unseen.sum() <= 0:
        return 1.0
    ratio = float(np.clip(actual.sum() / unseen.sum(), *LEVEL_BOUNDS))
    return float(ratio ** (spenders / (spenders + PRIOR_SPENDERS)))


def _amounts(scale: float, margin: Figures) -> Figures:
    return scale * np.exp(np.minimum(margin, LARGEST_MARGIN))
