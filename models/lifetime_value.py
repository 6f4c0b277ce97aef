"""The lifetime-value model: expected net revenue over the value horizon, as the mean of three members.

Two hurdles, the probability of an order within the value horizon times what it then brings, once by trees on top of the
buy-till-you-die value and once by that value itself, and Tweedie trees on top of it (power 1.5; G. Smyth and B. Jørgensen
(2002), Fitting Tweedie's Compound Poisson Model to Insurance Claims Data). The mean is anchored: scaled so that its total
over the customers of as_of is that of buy-till-you-die on the predicted level.

The probability of an order within the value horizon is that of buy-till-you-die, moved by as many log odds as the churn
model moves it within the churn horizon; where the horizons are equal, it is the churn model's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xgboost as xgb
from scipy.special import expit

from models.boosting import Columns, Learner, Objective, margins
from models.feature_matrix import Matrix
from models.offsets import Offsets
from models.prediction import Figures
from models.training_frame import TrainingFrame

SEVERITY = Objective({"objective": "reg:gamma", "eval_metric": "gamma-nloglik"}, {})
TWEEDIE = Objective({"objective": "reg:tweedie", "tweedie_variance_power": 1.5, "eval_metric": "tweedie-nloglik@1.5"}, {})
FEWEST_SPENDERS = 50
LARGEST_MARGIN = 35.0
"""Logarithm of about `prediction.LARGEST_AMOUNT`."""


@dataclass(frozen=True)
class ValueModel:
    """The trees, None where too few customers spent, and the factor that brings the mean to the level of as_of."""

    severity: xgb.Booster | None
    tweedie: xgb.Booster | None
    anchor: float = 1.0

    def expected(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> Figures:
        """Expected net revenue, shape (n,)."""
        orders = expit(-(offsets.no_order + churn_log_odds - offsets.churn))
        if_any = offsets.value_if_any
        severity = if_any if self.severity is None else margins(self.severity, matrix, if_any, columns)
        total = offsets.value if self.tweedie is None else margins(self.tweedie, matrix, offsets.value, columns)
        result: Figures = self.anchor * (orders * (_amounts(severity) + _amounts(if_any)) + _amounts(total)) / 3.0
        return result

    def anchored(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> ValueModel:
        """The same shape, with the total of the offset over these customers."""
        if self.anchor == 0:
            return self
        shape = replace(self, anchor=1.0)
        total = float(shape.expected(matrix, columns, offsets, churn_log_odds).sum())
        return replace(self, anchor=float(_amounts(offsets.value).sum()) / total if total > 0 else 1.0)

    def description(self) -> dict[str, Any]:
        return {"anchor": self.anchor}


def fit_value(frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets) -> ValueModel:
    """Fit on the rows whose value is known; not yet anchored, save that a shop without revenue is worth nothing."""
    known = frame.has_value
    spent = known & (np.nan_to_num(frame.value) > 0)
    if known.any() and not spent.any():
        return ValueModel(None, None, 0.0)
    if np.count_nonzero(spent) < FEWEST_SPENDERS:
        return ValueModel(None, None)
    # In multiples of the mean, whatever the currency: the offset falls by its logarithm, and the trees do not notice.
    scale = float(frame.value[known].mean())
    severity, tweedie = (
        Learner(matrix[rows], frame.customers[rows], columns).fit(frame.value[rows] / scale, offset[rows] - np.log(scale), objective)
        for rows, offset, objective in ((spent, offsets.value_if_any, SEVERITY), (known, offsets.value, TWEEDIE))
    )
    return ValueModel(severity, tweedie)


def _amounts(logarithms: Figures) -> Figures:
    amounts: Figures = np.exp(np.minimum(logarithms, LARGEST_MARGIN))
    return amounts
