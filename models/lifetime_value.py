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

from models.boosting import Columns, Learner, Objective, margins
from models.feature_matrix import Matrix
from models.offsets import Offsets, amounts_of
from models.prediction import Figures
from models.training_frame import TrainingFrame

SEVERITY = Objective({"objective": "reg:gamma", "eval_metric": "gamma-nloglik"}, {})
TWEEDIE = Objective({"objective": "reg:tweedie", "tweedie_variance_power": 1.5, "eval_metric": "tweedie-nloglik@1.5"}, {})
FEWEST_SPENDERS = 50


@dataclass(frozen=True)
class ValueModel:
    """The trees, None where too few customers spent, and the factor that brings the mean to the level of as_of."""

    severity: xgb.Booster | None
    tweedie: xgb.Booster | None
    anchor: float = 1.0

    def expected(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> Figures:
        """Expected net revenue, shape (n,)."""
        severity, total = offsets.value_if_any, offsets.value
        if self.severity is not None:
            severity = margins(self.severity, matrix, severity, columns)
        if self.tweedie is not None:
            total = margins(self.tweedie, matrix, total, columns)
        return self.anchor * _mean(severity, total, offsets, churn_log_odds)

    def anchored(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> ValueModel:
        """The same shape, with the total of the offset over these customers."""
        if self.anchor == 0:
            return self
        shape = replace(self, anchor=1.0)
        return replace(self, anchor=_ratio(amounts_of(offsets.value), shape.expected(matrix, columns, offsets, churn_log_odds)))

    def description(self) -> dict[str, Any]:
        return {"anchor": self.anchor}


def fit_value(
    frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures
) -> tuple[ValueModel, Figures]:
    """Fit on the rows whose value is known; not yet anchored, save that a shop without revenue is worth nothing. Beside it
    the expected value of each row by trees that its customer was kept from, anchored to the level of its cutoff.

    Args:
        churn_log_odds: of each row, by trees that its customer was kept from.
    """
    known = frame.has_value
    spent = known & (np.nan_to_num(frame.value) > 0)
    if known.any() and not spent.any():
        return ValueModel(None, None, 0.0), np.zeros(len(frame))
    severity, total = offsets.value_if_any.copy(), offsets.value.copy()
    model = ValueModel(None, None)
    if np.count_nonzero(spent) >= FEWEST_SPENDERS:
        # In multiples of the mean, whatever the currency: the offset falls by its logarithm, and the trees do not notice.
        scale = float(frame.value[known].mean())
        by_severity, by_tweedie = (
            Learner(matrix[rows], frame.customers[rows], columns).fit(frame.value[rows] / scale, offset[rows] - np.log(scale), objective)
            for rows, offset, objective in ((spent, severity, SEVERITY), (known, total, TWEEDIE))
        )
        model = ValueModel(by_severity.booster, by_tweedie.booster)
        severity[~spent] = margins(model.severity, matrix[~spent], severity[~spent], columns)
        severity[spent], total[known] = by_severity.unseen + np.log(scale), by_tweedie.unseen + np.log(scale)
    unseen = _mean(severity, total, offsets, churn_log_odds)
    for cutoff in frame.churn_cutoffs:
        at = frame.is_at(cutoff)
        unseen[at] *= _ratio(amounts_of(offsets.value[at]), unseen[at])
    return model, unseen


def _mean(severity: Figures, total: Figures, offsets: Offsets, churn_log_odds: Figures) -> Figures:
    """The three members' mean, from the logarithms of what an order brings and of what comes in all."""
    orders = offsets.order_probability(churn_log_odds)
    result: Figures = (orders * (amounts_of(severity) + amounts_of(offsets.value_if_any)) + amounts_of(total)) / 3.0
    return result


def _ratio(wanted: Figures, given: Figures) -> float:
    """The factor that gives the total wanted; 1 where there is none to give it."""
    total = float(given.sum())
    return float(wanted.sum()) / total if total > 0 else 1.0
