"""A trial: the model and the baselines on customers or cutoffs that they did not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.baselines import Formula, RfmCells
from models.evaluation import calibration_bins, churn_metrics, log_losses, value_metrics
from models.prediction import Figures, Prediction
from models.splits import folds_by_customer
from models.trained_model import fit_model
from models.training_frame import TrainingFrame

MODEL = "xgboost"
TRIAL_FOLDS = 2
FEWEST_OF_AN_OUTCOME = 30
ONE_SIDED_95 = 1.645

HeldOut = Literal["later cutoff", "other customers"]


@dataclass(frozen=True)
class Split:
    """One thing to learn from and what to predict then: the rows of `frame` that `chosen` tells."""

    learned_from: TrainingFrame
    as_of: date
    chosen: NDArray[np.bool_]


@dataclass(frozen=True)
class TrialPart:
    """What the trial of one target, churn or value, found.

    Attributes:
        cutoff: the cutoff that was predicted.
        held_out: what the predictors did not know: everything after the cutoff, or, where nothing was known by then, the customers.
        metrics: by predictor, then by metric.
        loss: name of the loss whose mean over customers decides on promotion.
        losses: by predictor, each customer's loss, shape (customers,).
    """

    cutoff: date
    held_out: HeldOut
    metrics: Mapping[str, Mapping[str, float]]
    loss: str
    losses: Mapping[str, Figures]

    def shortcoming(self, tolerance: float) -> str | None:
        """In words, when the mean loss of the model is above that of the best baseline by more than `tolerance` and by more than chance.

        More than chance: a paired t-test over the customers at 95 %. A few large customers decide a mean of squared
        errors, and one of them must not keep a model back that serves the others better.
        """
        best = min((name for name in self.losses if name != MODEL), key=lambda name: float(self.losses[name].mean()))
        excess = self.losses[MODEL] - (1.0 + tolerance) * self.losses[best]
        error = float(excess.std()) / np.sqrt(len(excess))
        if float(excess.mean()) <= ONE_SIDED_95 * error:
            return None
        return f"{self.loss} {self.losses[MODEL].mean():.4g} against {self.losses[best].mean():.4g} of {best}"


@dataclass(frozen=True)
class Trial:
    churn: TrialPart
    value: TrialPart | None
    """None where no value is known at any cutoff."""
    bins: Sequence[tuple[int, int, float, float]]

    def shortcomings(self, tolerance: float) -> list[str]:
        """Why the model should not be promoted; empty when it should."""
        parts = [part for part in (self.churn, self.value) if part is not None]
        found = [shortcoming for part in parts if (shortcoming := part.shortcoming(tolerance)) is not None]
        if self.value is not None:
            gini = {name: metrics["gini"] for name, metrics in self.value.metrics.items()}
            best = max((figure for name, figure in gini.items() if name != MODEL), default=float("nan"))
            if gini[MODEL] < best - tolerance:
                found.append(f"Gini of the value {gini[MODEL]:.3f} against {best:.3f} of a baseline")
        return found


def run_trial(frame: TrainingFrame, as_of: date, lifespan_years: float) -> Trial:
    """Try the model and the baselines on the latest cutoff whose outcome is known, once for churn and once for value.

    They learn from what was known at that cutoff. Where that is too little to learn from, they learn from all cutoffs of
    other customers.
    """
    formula = Formula(frame.churn_horizon_days, frame.value_horizon_days, lifespan_years)
    churn_cutoff = frame.churn_cutoffs[-1]
    value_cutoff = frame.value_cutoffs[-1] if frame.value_cutoffs else None
    held_out, predictions, cells = _predicted(frame, churn_cutoff, as_of, needs_value=value_cutoff == churn_cutoff)
    at = frame.is_at(churn_cutoff)
    actual = frame.has_churned[at]
    churn_by = {
        MODEL: predictions.churn_probability,
        "formula": formula.predict(frame.where(at).features).churn_probability,
        "rfm_cells": cells[0],
    }
    churn = TrialPart(
        churn_cutoff,
        held_out,
        {name: churn_metrics(probability, actual) for name, probability in churn_by.items()},
        "log loss",
        {name: log_losses(probability, actual.astype(np.float64)) for name, probability in churn_by.items()},
    )
    bins = calibration_bins(predictions.churn_probability, actual)
    if value_cutoff is None:
        return Trial(churn, None, bins)
    if value_cutoff != churn_cutoff:
        held_out, predictions, cells = _predicted(frame, value_cutoff, as_of, needs_value=True)
        at = frame.is_at(value_cutoff)
    value_by = {
        MODEL: predictions.expected_value,
        "formula": formula.predict(frame.where(at).features).expected_value,
        "rfm_cells": cells[1],
    }
    revenue = frame.value[at]
    value = TrialPart(
        value_cutoff,
        held_out,
        {name: value_metrics(expected, revenue) for name, expected in value_by.items()},
        "squared error of the value",
        {name: (expected - revenue) ** 2 for name, expected in value_by.items()},
    )
    return Trial(churn, value, bins)


def _predicted(
    frame: TrainingFrame, cutoff: date, as_of: date, *, needs_value: bool
) -> tuple[HeldOut, Prediction, tuple[Figures, Figures]]:
    """For the cutoff's rows: the model's predictions, and the cells' churn probability and expected value, each of shape (rows,)."""
    held_out, splits = _splits(frame, cutoff, as_of, needs_value=needs_value)
    results = np.zeros((5, len(frame)))
    for split in splits:
        rows = frame.where(split.chosen).features
        ours, cells = fit_model(split.learned_from, split.as_of).predict(rows), RfmCells.fitted(split.learned_from)
        results[:, split.chosen] = (
            ours.churn_probability,
            ours.value_if_ordered,
            ours.value_if_churned,
            cells.churn_probability(rows),
            cells.expected_value(rows),
        )
    at = frame.is_at(cutoff)
    return held_out, Prediction(*results[:3, at]), (results[3, at], results[4, at])


def _splits(frame: TrainingFrame, cutoff: date, as_of: date, *, needs_value: bool) -> tuple[HeldOut, list[Split]]:
    at = frame.is_at(cutoff)
    known = frame.known_at(cutoff)
    outcomes = known.has_churned[known.has_value] if needs_value else known.has_churned
    if min(int(outcomes.sum()), int((~outcomes).sum())) >= FEWEST_OF_AN_OUTCOME:
        return "later cutoff", [Split(known, cutoff, at)]
    fold = folds_by_customer(frame.customers, TRIAL_FOLDS)
    return "other customers", [Split(frame.where(fold != number), as_of, at & (fold == number)) for number in range(TRIAL_FOLDS)]
