"""From a classifier's logits to probabilities that come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prediction import Figures

FEWEST_OF_AN_OUTCOME = 30
MOST_STEPS = 100
SMALLEST_STEP = 1e-10
START = np.array([1.0, 0.0])
RIDGE = 1.0
"""Weight, in customers, of staying with the logits as they are."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: probability = 1 / (1 + exp(−(slope × logit + intercept))).

    Chosen over isotonic regression because it keeps the ranking and has no steps, on which segments' thresholds would sit.
    J. Platt (1999), Probabilistic Outputs for Support Vector Machines.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, logits: Figures) -> Figures:
        return sigmoid(self.slope * logits + self.intercept)


def fitted_calibration(logits: Figures, outcome: NDArray[np.bool_]) -> Calibration:
    """The calibration with the highest likelihood, by Newton's method; as it is where an outcome is too rare to tell."""
    if min(int(outcome.sum()), int((~outcome).sum())) < FEWEST_OF_AN_OUTCOME:
        return Calibration()
    design = np.column_stack([logits, np.ones_like(logits)])
    weights = START
    for _ in range(MOST_STEPS):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - outcome) + RIDGE * (weights - START)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        loss = _loss(design, outcome, weights)
        # Far from the optimum a whole Newton step can overshoot.
        while _loss(design, outcome, weights - step) > loss and np.abs(step).max() > SMALLEST_STEP:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() <= SMALLEST_STEP:
            break
    if not np.isfinite(weights).all() or weights[0] <= 0:
        return Calibration()
    return Calibration(float(weights[0]), float(weights[1]))


def _loss(design: Figures, outcome: NDArray[np.bool_], weights: Figures) -> float:
    logits = design @ weights
    return float(np.sum(np.logaddexp(0.0, logits) - outcome * logits) + RIDGE / 2 * np.sum((weights - START) ** 2))


def sigmoid(logits: Figures) -> Figures:
    """The logistic function, without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
