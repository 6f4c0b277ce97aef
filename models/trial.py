"""A trial: the model and the baselines on customers or cutoffs that they did not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.baselines import Formula, RfmCells
from models.evaluation import calibration_bins, churn_metrics, log_losses, quantile_metrics, value_metrics
from models.prediction import Figures
from models.splits import folds_by_customer
from models.trained_model import fit_model
from models.training_frame import TrainingFrame

MODEL = "blend"
TRIAL_FOLDS = 2
TRIAL_ROWS = 20_000
"""Rows that a trial learns from at most: it compares, and need not be as sharp as the model that serves."""

FEWEST_OF_AN_OUTCOME = 30
ONE_SIDED_95 = 1.645

HeldOut = Literal["later cutoff", "other customers"]


@dataclass(frozen=True)
class Split:
    """What to learn from and what to predict then: the rows of `frame` that `chosen` tells."""

    learned_from: TrainingFrame
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


def run_trial(frame: TrainingFrame, lifespan_years: float) -> Trial:
    """Try the model and the baselines on a past cutoff, once for churn and once for value: the latest with the longest known horizon.

    They learn from what was known at that cutoff. Where that is too little to learn from, they learn from all cutoffs of
    the other half of the customers.
    """
    churn_cutoff, churn_days = _longest({cutoff: level.days for cutoff, shop in frame.shops.items() if (level := shop.churn_level)})
    values = {cutoff: level.days for cutoff, shop in frame.shops.items() if (level := shop.value_level)}
    value_cutoff, value_days = _longest(values) if values else (None, frame.value_horizon_days)
    tried = _tried(frame, churn_cutoff, churn_days, value_days, lifespan_years, needs_value=value_cutoff == churn_cutoff)
    actual = frame.has_churned[tried.chosen]
    churn_by = {name: prediction[0] for name, prediction in tried.by_predictor.items()}
    churn = TrialPart(
        churn_cutoff,
        tried.held_out,
        {name: churn_metrics(probability, actual) for name, probability in churn_by.items()},
        "log loss",
        {name: log_losses(probability, actual.astype(np.float64)) for name, probability in churn_by.items()},
    )
    bins = calibration_bins(churn_by[MODEL], actual)
    if value_cutoff is None:
        return Trial(churn, None, bins)
    if value_cutoff != churn_cutoff:
        level = frame.shops[value_cutoff].churn_level
        churn_days = level.days if level else frame.churn_horizon_days
        tried = _tried(frame, value_cutoff, churn_days, value_days, lifespan_years, needs_value=True)
    revenue = frame.value[tried.chosen]
    value_by = {name: prediction[1] for name, prediction in tried.by_predictor.items()}
    metrics = {name: value_metrics(expected, revenue) for name, expected in value_by.items()}
    if tried.quantiles is not None:
        metrics[MODEL] |= quantile_metrics(tried.quantiles, value_by[MODEL], revenue)
    value = TrialPart(
        value_cutoff,
        tried.held_out,
        metrics,
        "squared error of the value",
        {name: (expected - revenue) ** 2 for name, expected in value_by.items()},
    )
    return Trial(churn, value, bins)


@dataclass(frozen=True)
class Tried:
    """Churn probability and expected value by predictor, and the model's quantiles of the value, for the rows that `chosen` tells."""

    held_out: HeldOut
    chosen: NDArray[np.bool_]
    by_predictor: Mapping[str, tuple[Figures, Figures]]
    quantiles: Figures | None


def _longest(days: Mapping[date, int]) -> tuple[date, int]:
    """The latest of the cutoffs with the longest window, and its length."""
    cutoff = max(days, key=lambda one: (days[one], one))
    return cutoff, days[cutoff]


def _tried(frame: TrainingFrame, cutoff: date, churn_days: int, value_days: int, lifespan_years: float, *, needs_value: bool) -> Tried:
    held_out, split = _split(frame, cutoff, needs_value=needs_value)
    # Other customers of the same days know the level of these days.
    levels = frame.shops[cutoff].levels if held_out == "other customers" else None
    rows = frame.where(split.chosen).features
    learned_from = _at_most(split.learned_from, TRIAL_ROWS)
    model = fit_model(learned_from, cutoff, rows, churn_days=churn_days, value_days=value_days, levels=levels)
    ours = model.predict(rows)
    formula, cells = Formula(churn_days, value_days, lifespan_years).predict(rows), RfmCells.fitted(learned_from)
    return Tried(
        held_out,
        split.chosen,
        {
            MODEL: (ours.churn_probability, ours.expected_value),
            "formula": (formula.churn_probability, formula.expected_value),
            "rfm_cells": (cells.churn_probability(rows), cells.expected_value(rows)),
        },
        ours.value_quantiles,
    )


def _split(frame: TrainingFrame, cutoff: date, *, needs_value: bool) -> tuple[HeldOut, Split]:
    at = frame.is_at(cutoff)
    known = frame.known_at(cutoff)
    outcomes = known.has_churned[known.has_value] if needs_value else known.has_churned
    if min(int(outcomes.sum()), int((~outcomes).sum())) >= FEWEST_OF_AN_OUTCOME:
        return "later cutoff", Split(known, at)
    fold = folds_by_customer(frame.customers, TRIAL_FOLDS)
    return "other customers", Split(frame.where(fold != 0), at & (fold == 0))


def _at_most(frame: TrainingFrame, rows: int) -> TrainingFrame:
    """Of a larger frame, as many whole customers as make about so many rows."""
    folds = -(-len(frame) // rows)
    return frame if folds <= 1 else frame.where(folds_by_customer(frame.customers, folds) == 0)
