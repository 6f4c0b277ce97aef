"""The churn model: the probability of no order within the churn horizon, from three members that err differently.

Trees on top of the buy-till-you-die offset, trees without it that know only their cutoff's share of churn, and a line on
the offset. Their log odds are averaged and anchored: shifted so that the mean over the customers of as_of is that of the
offset, the one member that can tell how things go on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import xgboost as xgb
from scipy.special import expit, logit

from models.boosting import Columns, Learner, Objective, margins
from models.expectation import shift_to
from models.feature_matrix import Matrix
from models.line import Line
from models.offsets import Offsets
from models.prediction import Figures
from models.training_frame import TrainingFrame

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


@dataclass(frozen=True)
class ChurnModel:
    """The members, and the two constants that bring them to the level of as_of."""

    on_offset: xgb.Booster
    alone: xgb.Booster
    line: Line
    alone_shift: float = 0.0
    anchor: float = 0.0

    members_count: ClassVar[int] = 3

    def log_odds(self, matrix: Matrix, columns: Columns, offsets: Offsets) -> Figures:
        """Log odds of churn, shape (n,)."""
        on_offset = margins(self.on_offset, matrix, offsets.churn, columns)
        alone = margins(self.alone, matrix, np.zeros(len(matrix)), columns) + self.alone_shift
        result: Figures = (on_offset + alone + self.line.log_odds(matrix, columns.names, offsets)) / self.members_count + self.anchor
        return result

    def anchored(self, matrix: Matrix, columns: Columns, offsets: Offsets) -> ChurnModel:
        """The same shape, with the mean of the offset over these customers."""
        mean = float(expit(offsets.churn).mean()) if len(matrix) else 0.5
        alone = margins(self.alone, matrix, np.zeros(len(matrix)), columns)
        level = ChurnModel(self.on_offset, self.alone, self.line, shift_to(alone, mean))
        return ChurnModel(*_members(level), anchor=shift_to(level.log_odds(matrix, columns, offsets), mean))

    def description(self) -> dict[str, Any]:
        return {"line": asdict(self.line), "alone_shift": self.alone_shift, "anchor": self.anchor}


def fit_churn(frame: TrainingFrame, matrix: Matrix, columns: Columns, offsets: Offsets) -> tuple[ChurnModel, Figures]:
    """Fit on all cutoffs; not yet anchored. Beside it the log odds of each row by trees that its customer was kept from,
    anchored to the level of its cutoff.

    Args:
        frame: with at least one row.
        matrix: the features and what the offsets put beside them, shape (rows, columns).
    """
    churned = frame.has_churned.astype(np.float64)
    _, cutoff = np.unique(frame.cutoffs, return_inverse=True)
    # With half a customer of either kind, so that a cutoff of one kind has odds too.
    share = (np.bincount(cutoff, churned) + 0.5) / (np.bincount(cutoff) + 1.0)
    learner = Learner(matrix, frame.customers, columns)
    on_offset, alone = learner.fit(churned, offsets.churn, ON_OFFSET), learner.fit(churned, logit(share)[cutoff], ALONE)
    line = Line.fitted(matrix, columns.names, offsets, churned)
    unseen = (on_offset.unseen + alone.unseen + line.log_odds(matrix, columns.names, offsets)) / ChurnModel.members_count
    for number in range(len(share)):
        at = cutoff == number
        unseen[at] += shift_to(unseen[at], float(expit(offsets.churn[at]).mean()))
    return ChurnModel(on_offset.booster, alone.booster, line), unseen


def _members(model: ChurnModel) -> tuple[xgb.Booster, xgb.Booster, Line, float]:
    return model.on_offset, model.alone, model.line, model.alone_shift
