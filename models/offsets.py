"""The offsets of the blend's members: expectation and level of each row's date, the same in training and in scoring."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.expectation import Expected, Level
from models.feature_matrix import FeatureEncoding, Matrix, Rows
from models.prediction import Figures

COLUMNS = ("btyd_probability_alive", "btyd_mean_spend")
"""What members see of the buy-till-you-die models beside the offset, as columns of the matrix."""


LARGEST_MARGIN = 35.0
"""Logarithm of about `prediction.LARGEST_AMOUNT`."""


@dataclass(frozen=True)
class Offsets:
    """For n rows, each of shape (n,).

    Attributes:
        alive, mean_spend: what `COLUMNS` names.
        silence: expected log odds of churn, and `churn`, the same on its level.
        worth: logarithm of the expected value, and `value`, the same on its level.
        no_order: log odds of no order within the value horizon, on its level.
        orders_if_any: expected orders within the value horizon given one.
    """

    alive: Figures
    mean_spend: Figures
    silence: Figures
    churn: Figures
    worth: Figures
    value: Figures
    no_order: Figures
    orders_if_any: Figures

    @classmethod
    def of(cls, expected: Expected, churn_days: int, churn_level: Level, value_days: int, value_level: Level) -> Offsets:
        silence = expected.log_odds_of_silence(churn_days)
        later = silence if value_days == churn_days else expected.log_odds_of_silence(value_days)
        orders = expected.orders(value_days)
        worth = expected.log_value(orders)
        return cls(
            expected.probability_alive,
            expected.mean_spend,
            silence,
            silence + churn_level.shift,
            worth,
            worth + value_level.log_factor,
            later + value_level.shift,
            np.maximum(orders / expit(-later), 1.0),
        )

    @cached_property
    def value_if_any(self) -> Figures:
        """Logarithm of the expected value given an order within the value horizon."""
        result: Figures = self.value - np.log(expit(-self.no_order))
        return result

    def order_probability(self, churn_log_odds: Figures) -> Figures:
        """Of an order within the value horizon: that of buy-till-you-die, moved by what the churn model moves it by."""
        result: Figures = expit(-(self.no_order + churn_log_odds - self.churn))
        return result

    def where(self, chosen: NDArray[np.bool_] | slice) -> Offsets:
        """Those of the chosen rows."""
        return Offsets(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def beside(self, encoding: FeatureEncoding, rows: Rows) -> Matrix:
        """The features of the rows with `COLUMNS` after them, shape (n, features + 2)."""
        return encoding.matrix(rows, (self.alive, self.mean_spend))


def amounts_of(logarithms: Figures) -> Figures:
    amounts: Figures = np.exp(np.minimum(logarithms, LARGEST_MARGIN))
    return amounts
