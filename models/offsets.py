"""The offsets of the blend's members: expectation and level of each row's date, the same in training and in scoring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from models.expectation import Expected, Level
from models.feature_matrix import FeatureEncoding, Matrix, Rows
from models.prediction import Figures

COLUMNS = ("btyd_probability_alive", "btyd_mean_spend")
"""What members see of the buy-till-you-die models beside the offset, as columns of the matrix."""


@dataclass(frozen=True)
class Offsets:
    """For n rows, each of shape (n,).

    Attributes:
        alive, mean_spend: what `COLUMNS` names.
        silence: expected log odds of churn, and `churn`, the same on its level.
        worth: logarithm of the expected value, and `value`, the same on its level.
        no_order: log odds of no order within the value horizon, on its level.
    """

    alive: Figures
    mean_spend: Figures
    silence: Figures
    churn: Figures
    worth: Figures
    value: Figures
    no_order: Figures

    @classmethod
    def of(cls, expected: Expected, churn_days: int, churn_level: Level, value_days: int, value_level: Level) -> Offsets:
        silence = expected.log_odds_of_silence(churn_days)
        later = silence if value_days == churn_days else expected.log_odds_of_silence(value_days)
        worth = expected.log_value(value_days)
        return cls(
            expected.probability_alive,
            expected.mean_spend,
            silence,
            silence + churn_level.shift,
            worth,
            worth + value_level.log_factor,
            later + value_level.shift,
        )

    @property
    def value_if_any(self) -> Figures:
        """Logarithm of the expected value given an order within the value horizon."""
        result: Figures = self.value - np.log(expit(-self.no_order))
        return result

    def beside(self, encoding: FeatureEncoding, rows: Rows) -> Matrix:
        """The features of the rows with `COLUMNS` after them, shape (n, features + 2)."""
        seen = np.stack([self.alive, self.mean_spend], axis=1).astype(np.float32)
        return np.concatenate([encoding.matrix(rows), seen], axis=1)
