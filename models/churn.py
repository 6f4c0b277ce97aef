"""The churn model: the probability of no order within the churn horizon, from members that err differently.

Trees on top of the buy-till-you-die offset, trees without it that know only their cutoff's share of churn, a line on the
offset, and the offset itself, usually without a weight of its own. Their log odds are averaged by their weights (see
`weighting`) and anchored: shifted so that the mean over the customers of as_of is that of the offset, the one member that can
tell how things go on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.boosting import Columns, Learner, Objective, margins
from models.evaluation import log_losses
from models.expectation import shift_to
from models.feature_matrix import Matrix
from models.line import Line
from models.offsets import Offsets
from models.prediction import Figures
from models.shallow_trees import ShallowTrees
from models.splits import FOLDS, folds_by_customer, some_customers
from models.training_frame import TrainingFrame
from models.weighting import MOST_ROWS, Past, Weighting, Weights, blended, choose_weights

ON_OFFSET = Objective({"objective": "binary:logistic", "eval_metric": "logloss"}, {})
"""Without monotone constraints: what is left over an offset need not be monotone."""

ALONE = Objective(
    ON_OFFSET.parameters,
    {
        "days_since_last_order": 1,
        "overdue_ratio": 1,
        "overdue_days": 1,
        "orders_count": -1,
        "repeat_orders_count": -1,
        "repeat_order_days_count": -1,
        "orders_30d_count": -1,
        "orders_90d_count": -1,
        "orders_180d_count": -1,
        "orders_365d_count": -1,
        "active_months_365d_count": -1,
        "btyd_probability_alive": -1,
    },
)
"""More recent and more orders never raise the risk: noise of a small shop must not say so."""


MEMBERS = ("trees_on_offset", "trees_alone", "line", "buy_till_you_die")
USUAL = MEMBERS[:3]
NEGLIGIBLE = 0.001
"""Of log loss: who was better by more on the past was so later in 7 of 10 cases and more (docs/predictions.md)."""


@dataclass(frozen=True)
class ChurnModel:
    """The members that have a weight, and the two constants that bring them to the level of as_of."""

    weights: Weights
    on_offset: ShallowTrees | None
    alone: ShallowTrees | None
    line: Line | None
    alone_shift: float = 0.0
    anchor: float = 0.0

    def log_odds(self, matrix: Matrix, columns: Columns, offsets: Offsets) -> Figures:
        """Log odds of churn, shape (n,)."""
        result: Figures = self.weights["buy_till_you_die"] * offsets.churn + self.anchor
        if self.on_offset is not None:
            result += self.weights["trees_on_offset"] * margins(self.on_offset, matrix, offsets.churn, columns)
        if self.alone is not None:
            result += self.weights["trees_alone"] * (margins(self.alone, matrix, np.zeros(len(matrix)), columns) + self.alone_shift)
        if self.line is not None:
            result += self.weights["line"] * self.line.log_odds(matrix, columns.names, offsets)
        return result

    def anchored(self, matrix: Matrix, columns: Columns, offsets: Offsets) -> ChurnModel:
        """The same shape, with the mean of the offset over these customers."""
        mean = float(expit(offsets.churn).mean()) if len(matrix) else 0.5
        shift = 0.0 if self.alone is None else shift_to(margins(self.alone, matrix, np.zeros(len(matrix)), columns), mean)
        level = replace(self, alone_shift=shift, anchor=0.0)
        return replace(level, anchor=shift_to(level.log_odds(matrix, columns, offsets), mean))

    def description(self) -> dict[str, Any]:
        line = None if self.line is None else asdict(self.line)
        return {"weights": dict(self.weights), "line": line, "alone_shift": self.alone_shift, "anchor": self.anchor}


def fit_churn(frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets) -> tuple[ChurnModel, Figures, Weighting]:
    """Fit on all cutoffs; not yet anchored. Beside it the log odds of each row by members that its customer was kept from,
    anchored to the level of its cutoff, and how the weights were chosen.

    Args:
        frame: with at least one row.
        matrix: the features and what the offsets put beside them, shape (rows, columns).
    """
    churned = frame.has_churned.astype(np.float64)
    cutoff = frame.cutoff_numbers
    # With half a customer of either kind, so that a cutoff of one kind has odds too.
    share = (np.bincount(cutoff, churned) + 0.5) / (np.bincount(cutoff) + 1.0)
    learner = Learner(matrix, frame.customers, columns)
    on_offset, alone = learner.fit(churned, offsets.churn, ON_OFFSET), learner.fit(churned, logit(share)[cutoff], ALONE)
    line, line_unseen = _fit_line(frame, matrix, columns, offsets, churned)
    unseen = dict(zip(MEMBERS, (on_offset.unseen, alone.unseen, line_unseen, offsets.churn), strict=True))
    judged = some_customers(frame.customers, MOST_ROWS)
    few = {member: log_odds[judged] for member, log_odds in unseen.items()}

    def losses(weights: Weights) -> Figures:
        log_odds = _on_level(blended(few, weights), offsets.churn[judged], cutoff[judged])
        return log_losses(expit(log_odds), churned[judged])

    past = Past(frame.customers[judged], cutoff[judged])
    weighting = choose_weights(MEMBERS, USUAL, past, "log loss", losses, NEGLIGIBLE)
    weights = weighting.weights
    model = ChurnModel(
        weights,
        on_offset.trees if weights["trees_on_offset"] else None,
        alone.trees if weights["trees_alone"] else None,
        line if weights["line"] else None,
    )
    return model, _on_level(blended(unseen, weights), offsets.churn, cutoff), weighting


def _fit_line(frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets, churned: Figures) -> tuple[Line, Figures]:
    """The line, and the log odds of each row by one that its customer was kept from."""
    unseen, fold = offsets.churn.copy(), folds_by_customer(frame.customers)
    for number in range(FOLDS):
        inside, outside = fold != number, fold == number
        if inside.any() and outside.any():
            line = Line.fitted(matrix[inside], columns.names, offsets.where(inside), churned[inside])
            unseen[outside] = line.log_odds(matrix[outside], columns.names, offsets.where(outside))
    return Line.fitted(matrix, columns.names, offsets, churned), unseen


def _on_level(log_odds: Figures, wanted: Figures, cutoff: NDArray[np.int64]) -> Figures:
    """The log odds shifted so that their mean is at each cutoff that of those wanted."""
    result = log_odds.copy()
    for number in np.unique(cutoff):
        at = cutoff == number
        result[at] += shift_to(result[at], float(expit(wanted[at]).mean()))
    return result
