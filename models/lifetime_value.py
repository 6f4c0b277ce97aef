"""The lifetime-value model: expected net revenue over the value horizon, as the weighted mean of members.

Two hurdles, the probability of an order within the value horizon times what it then brings, once by trees on top of the
buy-till-you-die value and once by that value itself, Tweedie trees on top of it (power 1.5; G. Smyth and B. Jørgensen
(2002), Fitting Tweedie's Compound Poisson Model to Insurance Claims Data), and that value as it is, usually without a weight of
its own (see `weighting`). The mean is anchored: scaled so that its total over the customers of as_of is that of
buy-till-you-die on the predicted level.

The probability of an order within the value horizon is that of buy-till-you-die, moved by as many log odds as the churn
model moves it within the churn horizon; where the horizons are equal, it is the churn model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.boosting import Columns, Learner, Objective, margins
from models.evaluation import tweedie_losses
from models.feature_matrix import Matrix
from models.offsets import Offsets, amounts_of
from models.prediction import Figures
from models.shallow_trees import ShallowTrees
from models.splits import some_customers
from models.training_frame import TrainingFrame
from models.weighting import MOST_ROWS, Past, Weighting, Weights, blended, choose_weights, equal_weights

SEVERITY = Objective({"objective": "reg:gamma", "eval_metric": "gamma-nloglik"}, {})
TWEEDIE = Objective({"objective": "reg:tweedie", "tweedie_variance_power": 1.5, "eval_metric": "tweedie-nloglik@1.5"}, {})
FEWEST_SPENDERS = 50

MEMBERS = ("hurdle_of_trees", "hurdle_of_expectation", "trees_on_offset", "buy_till_you_die")
USUAL = MEMBERS[:3]
USUAL_WEIGHTS = equal_weights(MEMBERS, USUAL)
NEGLIGIBLE_SHARE = 0.0025
"""Of the loss: who was better by more on the past was so later in 7 of 10 cases and more, by less hardly oftener than not."""


@dataclass(frozen=True)
class ValueModel:
    """The trees that have a weight, None where too few customers spent, and the factor that brings the mean to the level of as_of."""

    weights: Weights
    severity: ShallowTrees | None
    tweedie: ShallowTrees | None
    anchor: float = 1.0

    def expected(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> Figures:
        """Expected net revenue, shape (n,)."""
        severity, total = offsets.value_if_any, offsets.value
        if self.severity is not None:
            severity = margins(self.severity, matrix, severity, columns)
        if self.tweedie is not None:
            total = margins(self.tweedie, matrix, total, columns)
        return self.anchor * blended(_members(severity, total, offsets, churn_log_odds), self.weights)

    def anchored(self, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures) -> ValueModel:
        """The same shape, with the total of the offset over these customers."""
        if self.anchor == 0:
            return self
        shape = replace(self, anchor=1.0)
        return replace(self, anchor=_ratio(amounts_of(offsets.value), shape.expected(matrix, columns, offsets, churn_log_odds)))

    def description(self) -> dict[str, Any]:
        return {"weights": dict(self.weights), "anchor": self.anchor}


def fit_value(
    frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets, churn_log_odds: Figures
) -> tuple[ValueModel, Figures, Weighting | None]:
    """Fit on the rows whose value is known; not yet anchored, save that a shop without revenue is worth nothing. Beside it
    the expected value of each row by trees that its customer was kept from, anchored to the level of its cutoff, and how the
    weights were chosen, None where too few customers spent for trees.

    Args:
        churn_log_odds: of each row, by members that its customer was kept from.
    """
    known = frame.has_value
    spent = known & (np.nan_to_num(frame.value) > 0)
    if known.any() and not spent.any():
        return ValueModel(USUAL_WEIGHTS, None, None, 0.0), np.zeros(len(frame)), None
    cutoff = frame.cutoff_numbers
    if np.count_nonzero(spent) < FEWEST_SPENDERS:
        members = _members(offsets.value_if_any, offsets.value, offsets, churn_log_odds)
        unseen = _on_level(blended(members, USUAL_WEIGHTS), amounts_of(offsets.value), cutoff)
        return ValueModel(USUAL_WEIGHTS, None, None), unseen, None
    severity, total = offsets.value_if_any.copy(), offsets.value.copy()
    # In multiples of the mean, whatever the currency: the offset falls by its logarithm, and the trees do not notice.
    scale = float(frame.value[known].mean())
    by_severity, by_tweedie = (
        Learner(matrix[rows], frame.customers[rows], columns).fit(frame.value[rows] / scale, offset[rows] - np.log(scale), objective)
        for rows, offset, objective in ((spent, severity, SEVERITY), (known, total, TWEEDIE))
    )
    severity[~spent] = margins(by_severity.trees, matrix[~spent], severity[~spent], columns)
    severity[spent], total[known] = by_severity.unseen + np.log(scale), by_tweedie.unseen + np.log(scale)
    members = _members(severity, total, offsets, churn_log_odds)
    weighting = _weighting(frame, members, amounts_of(offsets.value))
    weights = weighting.weights
    model = ValueModel(
        weights,
        by_severity.trees if weights["hurdle_of_trees"] else None,
        by_tweedie.trees if weights["trees_on_offset"] else None,
    )
    return model, _on_level(blended(members, weights), amounts_of(offsets.value), cutoff), weighting


def _weighting(frame: TrainingFrame, members: Mapping[str, Figures], wanted: Figures) -> Weighting:
    """Chosen on the rows whose value is known, each in multiples of what was expected at its cutoff on average.

    The loss is the deviance that the Tweedie trees minimise: like the squared error it is least for the true mean, and other
    than that it is not decided by a few large customers.
    """
    judged = np.flatnonzero(frame.has_value)
    judged = judged[some_customers(frame.customers[judged], MOST_ROWS)]
    _, cutoff = np.unique(frame.cutoffs[judged], return_inverse=True)
    unit = (np.bincount(cutoff, wanted[judged]) / np.bincount(cutoff))[cutoff]
    few = {member: amounts[judged] for member, amounts in members.items()}
    actual = frame.value[judged] / unit

    def losses(weights: Weights) -> Figures:
        return tweedie_losses(_on_level(blended(few, weights), wanted[judged], cutoff) / unit, actual)

    past = Past(frame.customers[judged], cutoff)
    return choose_weights(MEMBERS, USUAL, past, "Tweedie loss", losses, NEGLIGIBLE_SHARE * float(losses(USUAL_WEIGHTS).mean()))


def _members(severity: Figures, total: Figures, offsets: Offsets, churn_log_odds: Figures) -> dict[str, Figures]:
    """What each member expects, from the logarithms of what an order brings and of what comes in all."""
    orders = offsets.order_probability(churn_log_odds)
    amounts = (orders * amounts_of(severity), orders * amounts_of(offsets.value_if_any), amounts_of(total), amounts_of(offsets.value))
    return dict(zip(MEMBERS, amounts, strict=True))


def _on_level(value: Figures, wanted: Figures, cutoff: NDArray[np.int64]) -> Figures:
    """The values scaled so that their total is at each cutoff that of those wanted."""
    result = value.copy()
    for number in np.unique(cutoff):
        at = cutoff == number
        result[at] *= _ratio(wanted[at], result[at])
    return result


def _ratio(wanted: Figures, given: Figures) -> float:
    """The factor that gives the total wanted; 1 where there is none to give it."""
    total = float(given.sum())
    return float(wanted.sum()) / total if total > 0 else 1.0
