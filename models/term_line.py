"""A logistic regression on a few terms, as small as a rule: what tastes are predicted with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.prediction import Figures

Terms = NDArray[np.floating[Any]]
"""Many of them are held at once, so that half the precision may do."""

RIDGE = 1e-4
MOST_STEPS = 300


@dataclass(frozen=True)
class TermLine:
    """Log odds = constant + weights · terms."""

    constant: float
    weights: tuple[float, ...]

    def of(self, *runs: Sequence[Terms]) -> Terms:
        """Log odds, of the shape that the terms broadcast to together. What has the same shape comes in one run: that is cheaper."""
        # Term by term: a product of matrices may add up in another order for another number of rows.
        weights = iter(self.weights)
        margin: Terms = np.array(self.constant, dtype=runs[0][0].dtype)
        for run in runs:
            summed = next(weights) * run[0]
            for term in run[1:]:
                summed = summed + next(weights) * term
            margin = margin + summed
        return margin

    @classmethod
    def fitted(cls, terms: Figures, outcome: Figures, weight: Figures) -> TermLine:
        """A ridge logistic regression on terms of shape (n, terms); a term that does not vary weighs nothing."""
        means, deviations = terms.mean(axis=0), terms.std(axis=0)
        varies = deviations > 1e-6
        deviations = np.where(varies, deviations, 1.0)
        x = np.column_stack([np.ones(len(terms)), (terms - means) / deviations * varies])
        ridge = np.r_[0.0, np.full(terms.shape[1], RIDGE)]
        weight = weight / weight.sum()

        def loss(line: Figures) -> tuple[float, Figures]:
            margin = x @ line
            value = weight @ (np.logaddexp(0.0, margin) - outcome * margin) + (ridge * line) @ line
            return float(value), x.T @ (weight * (expit(margin) - outcome)) + 2 * ridge * line

        found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS}).x
        weights = found[1:] / deviations * varies
        return cls(round(float(found[0] - weights @ means), 6), tuple(round(float(one), 6) for one in weights))
