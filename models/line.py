"""A ridge logistic regression on logarithms: the member that no step and no leaf can mislead, and that extrapolates evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.feature_matrix import Matrix, parts_of
from models.offsets import Offsets
from models.prediction import Figures

RIDGE = 10.0
MOST_STEPS = 200

COLUMNS = (
    "customer_age_days",
    "days_since_last_order",
    "repeat_order_days_count",
    "orders_count",
    "orders_30d_count",
    "orders_90d_count",
    "orders_180d_count",
    "orders_365d_count",
    "active_months_365d_count",
    "historic_value",
    "average_order_value",
    "last_order_value",
    "max_order_value",
    "net_revenue_30d",
    "net_revenue_90d",
    "net_revenue_180d",
    "net_revenue_365d",
    "usual_gap_days",
    "overdue_ratio",
    "orders_per_year",
    "last_gap_days",
    "gap_days_stddev",
    "btyd_mean_spend",
)


@dataclass(frozen=True)
class Line:
    """Weights of the standardised terms, the constant first."""

    weights: Sequence[float]
    means: Sequence[float]
    deviations: Sequence[float]

    @classmethod
    def fitted(cls, matrix: Matrix, names: Sequence[str], offsets: Offsets, churned: Figures) -> Line:
        terms = _terms(matrix, names, offsets)
        means, deviations = terms.mean(axis=0), terms.std(axis=0) + 1e-9
        x = np.column_stack([np.ones(len(terms)), (terms - means) / deviations])
        ridge = np.full(x.shape[1], RIDGE)
        ridge[0] = 0.0

        def loss(weights: Figures) -> tuple[float, Figures]:
            margin = offsets.churn + x @ weights
            value = np.sum(np.logaddexp(0.0, margin) - churned * margin) + 0.5 * (ridge * weights) @ weights
            return float(value) / len(x), (x.T @ (expit(margin) - churned) + ridge * weights) / len(x)

        found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
        return cls(found.x.tolist(), means.tolist(), deviations.tolist())

    def log_odds(self, matrix: Matrix, names: Sequence[str], offsets: Offsets) -> Figures:
        """Log odds of churn, shape (n,): the same whatever rows stand beside one."""
        margin: Figures = offsets.churn + self.weights[0]
        for part in parts_of(len(matrix)):
            x = self.standardised(matrix[part], names, offsets.where(part))
            x *= np.array(self.weights[1:])
            # A product of matrices may add up in another order for another number of rows.
            margin[part] += np.sum(x, axis=1)
        return margin

    def standardised(self, matrix: Matrix, names: Sequence[str], offsets: Offsets) -> Figures:
        """The terms, in deviations from their means, shape (n, terms)."""
        x = _terms(matrix, names, offsets)
        x -= np.array(self.means)
        x /= np.array(self.deviations)
        return x

    def own_terms(self, matrix: Matrix, names: Sequence[str]) -> dict[str, Figures]:
        """What each column of the matrix adds to the log odds up to a constant, each of shape (n,)."""
        logarithms, once = _own_terms(matrix, names)
        slopes = self._slopes
        terms = {name: slope * logarithms[:, number] for number, (name, slope) in enumerate(zip(COLUMNS, slopes, strict=False))}
        terms["repeat_order_days_count"] = terms["repeat_order_days_count"] + slopes[-1] * once
        return terms

    def offset_terms(self, offsets: Offsets) -> Figures:
        """What buy-till-you-die adds to the log odds beside the offset, up to a constant, shape (n,)."""
        alive, silence, worth = self._slopes[len(COLUMNS) : -1]
        terms: Figures = alive * offsets.alive + silence * offsets.silence + worth * offsets.worth
        return terms

    @property
    def _slopes(self) -> list[float]:
        return [weight / deviation for weight, deviation in zip(self.weights[1:], self.deviations, strict=True)]

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Line:
        return cls(described["weights"], described["means"], described["deviations"])


def _terms(matrix: Matrix, names: Sequence[str], offsets: Offsets) -> Figures:
    logarithms, once = _own_terms(matrix, names)
    # Row by row in memory: how a row is added up must not depend on how many there are.
    terms = np.empty((len(matrix), len(COLUMNS) + 4))
    terms[:, : len(COLUMNS)] = logarithms
    for place, values in enumerate((offsets.alive, offsets.silence, offsets.worth, once), start=len(COLUMNS)):
        terms[:, place] = values
    return terms


def _own_terms(matrix: Matrix, names: Sequence[str]) -> tuple[Figures, NDArray[np.bool_]]:
    """Logarithms of `COLUMNS`, shape (n, columns), and who has ordered on one day only."""
    positions = [names.index(name) for name in COLUMNS]
    amounts = matrix[:, positions].astype(np.float64)
    np.fmax(amounts, 0.0, out=amounts)  # 0 for a missing value too
    return np.log1p(amounts, out=amounts), matrix[:, names.index("repeat_order_days_count")] == 0
