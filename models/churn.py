"""The churn model: the calibrated probability of no order within the churn horizon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import xgboost as xgb

from models.boosting import Columns, Objective, fit, margins
from models.calibration import Calibration, fitted_calibration
from models.feature_matrix import Matrix
from models.prediction import Figures
from models.training_frame import TrainingFrame

OBJECTIVE = Objective(
    {"objective": "binary:logistic", "eval_metric": "logloss"},
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
    },
)
"""More recent and more orders never raise the risk: noise of a small shop must not say so."""


@dataclass(frozen=True)
class ChurnModel:
    booster: xgb.Booster
    calibration: Calibration

    def probability(self, matrix: Matrix, columns: Columns) -> Figures:
        """Churn probability of each row, shape (n,)."""
        return self.calibration.probability(margins(self.booster, matrix, columns))


def fit_churn(frame: TrainingFrame, matrix: Matrix, columns: Columns, level_cutoff: date) -> ChurnModel:
    """Fit on all cutoffs and calibrate on one, each customer's logit coming from boosters that did not see the customer.

    Args:
        frame: with customers of either outcome.
        matrix: the frame's features, shape (rows, features).
        level_cutoff: the cutoff to calibrate on, see `models.season`.
    """
    churned = frame.has_churned.astype(np.float64)
    fitted = fit(matrix, churned, frame.customers, columns, OBJECTIVE, float(np.clip(churned.mean(), 0.01, 0.99)))
    at_level = frame.is_at(level_cutoff)
    calibration = fitted_calibration(fitted.unseen_margin[at_level], frame.has_churned[at_level])
    return ChurnModel(fitted.booster, calibration)
