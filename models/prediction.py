"""What is predicted for each customer, whichever model predicts it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]

LARGEST_AMOUNT = 1e15
"""No customer is expected to spend more, in any currency: amounts above are a broken input, and stay finite."""


@dataclass(frozen=True)
class Prediction:
    """Predictions for n customers, in the order of the rows that they were made from.

    Attributes:
        churn_probability: probability of no order within the churn horizon, shape (n,), 0 to 1.
        value_if_ordered: expected net revenue over the value horizon given an order within the churn horizon, in money.
        value_if_churned: the same given none; never above `value_if_ordered`.

    The expected value follows from the law of total expectation, so that the three always agree.
    """

    churn_probability: Figures
    value_if_ordered: Figures
    value_if_churned: Figures

    @classmethod
    def of(cls, churn_probability: Figures, value_if_ordered: Figures, value_if_churned: Figures) -> Prediction:
        """A prediction within its bounds: whatever a model gave, all figures are finite, probabilities in 0 to 1, amounts not negative."""
        ordered = _amount(value_if_ordered)
        return cls(np.clip(np.nan_to_num(churn_probability, nan=0.5), 0.0, 1.0), ordered, np.minimum(_amount(value_if_churned), ordered))

    def __len__(self) -> int:
        return len(self.churn_probability)

    @cached_property
    def expected_value(self) -> Figures:
        """Expected net revenue over the value horizon, in money."""
        return self.value_if_churned + (1.0 - self.churn_probability) * (self.value_if_ordered - self.value_if_churned)

    @cached_property
    def value_at_risk(self) -> Figures:
        """What churn would cost: churn_probability × (value if they order within the churn horizon − value if they do not)."""
        return self.churn_probability * (self.value_if_ordered - self.value_if_churned)


def _amount(values: Figures) -> Figures:
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=LARGEST_AMOUNT, neginf=0.0), 0.0, LARGEST_AMOUNT)
