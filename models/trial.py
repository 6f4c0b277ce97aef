"""A trial: the rungs of the ladder, side by side, on customers or cutoffs that they did not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.baselines import Formula, RfmCells
from models.evaluation import calibration_bins, churn_metrics, log_losses, quantile_metrics, value_metrics
from models.expectation_model import ExpectationModel, fit_expectation_model
from models.ladder import IN_WORDS, RUNGS, Rung
from models.prediction import Figures
from models.rules import Rules
from models.splits import folds_by_customer, some_customers
from models.trained_model import TrainedModel, fit_model
from models.training_frame import TrainingFrame

CELLS = "rfm_cells"
SERVING = "serving"
TRIAL_FOLDS = 2
TRIAL_ROWS = 20_000
"""Rows that a trial learns from at most: it compares, and need not be as sharp as the model that serves."""

FEWEST_OF_AN_OUTCOME = 30
NEGLIGIBLE_LOG_LOSS = 0.005
NEGLIGIBLE_SHARE, NEGLIGIBLE_AMOUNT = 0.01, 0.01
"""Of the mean revenue, and of any currency."""
ONE_SIDED_95 = 1.645

HeldOut = Literal["later cutoff", "other customers"]


@dataclass(frozen=True)
class Incumbent:
    """The model that serves, and until when it has learned: what it says of an earlier cutoff proves nothing."""

    model: TrainedModel | ExpectationModel
    version: str
    trained_as_of: date


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
        loss: name of the loss whose mean over customers decides.
        losses: by predictor, each customer's loss, shape (customers,).
        negligible: a difference between mean losses that is none, however surely it is there.
    """

    cutoff: date
    held_out: HeldOut
    metrics: Mapping[str, Mapping[str, float]]
    loss: str
    losses: Mapping[str, Figures]
    negligible: float

    def shortcoming(self, predictor: str, others: Iterable[str], tolerance: float) -> str | None:
        """In words, when the predictor's mean loss is above that of the best of the others by more than `tolerance` and than chance.

        More than chance: a paired t-test over the customers at 95 %. A few large customers decide a mean of squared
        errors, and one of them must not keep a model back that serves the others better.
        """
        present = [name for name in others if name in self.losses]
        if not present:
            return None
        best = min(present, key=lambda name: float(self.losses[name].mean()))
        excess = self.losses[predictor] - (1.0 + tolerance) * self.losses[best] - self.negligible
        error = float(excess.std()) / np.sqrt(len(excess))
        if float(excess.mean()) <= ONE_SIDED_95 * error:
            return None
        return f"{self.loss} {self.losses[predictor].mean():.4g} against {self.losses[best].mean():.4g} of {IN_WORDS[best]}"


@dataclass(frozen=True)
class Trial:
    churn: TrialPart
    value: TrialPart | None
    """None where no value is known at any cutoff."""
    probabilities: Mapping[str, Figures]
    """By predictor, the churn probability of each customer of the churn part."""
    has_churned: NDArray[np.bool_]

    @property
    def parts(self) -> Sequence[TrialPart]:
        return [part for part in (self.churn, self.value) if part is not None]

    @property
    def was_serving_tried(self) -> bool:
        return SERVING in self.churn.losses

    def shortcomings(self, rung: Rung, tolerance: float) -> list[str]:
        """In what the rung falls behind something simpler; empty when it can serve."""
        simpler = [*RUNGS[: RUNGS.index(rung)], *([CELLS] if rung == "blend" else [])]
        found = [words for part in self.parts if (words := part.shortcoming(rung, simpler, tolerance)) is not None]
        if self.value is not None and rung == "blend":
            gini = {name: metrics["gini"] for name, metrics in self.value.metrics.items()}
            best = max((gini[name] for name in simpler if name in gini), default=float("nan"))
            if gini[rung] < best - tolerance:
                found.append(f"Gini of the value {gini[rung]:.3f} against {best:.3f} of something simpler")
        return found

    def behind_serving(self, rung: Rung, tolerance: float) -> list[str]:
        """In what the rung falls behind the serving model; empty where that was not tried."""
        return [words for part in self.parts if (words := part.shortcoming(rung, [SERVING], tolerance)) is not None]

    def bins(self, predictor: str) -> list[tuple[int, int, float, float]]:
        """The predictor's calibration in tenths, as `evaluation.calibration_bins`."""
        return calibration_bins(self.probabilities[predictor], self.has_churned)


def run_trial(frame: TrainingFrame, lifespan_years: float, rungs: Sequence[Rung] = RUNGS, incumbent: Incumbent | None = None) -> Trial:
    """Try the rungs on a past cutoff, once for churn and once for value: the latest with the longest known horizon.

    They learn from what was known at that cutoff. Where that is too little to learn a blend from, all learn from all cutoffs of
    the other half of the customers. Who serves is tried beside them where all that it learned from lies before the cutoff and
    the whole horizon after it is known.
    """
    churn_cutoff, churn_days = _longest({cutoff: level.days for cutoff, shop in frame.shops.items() if (level := shop.churn_level)})
    values = {cutoff: level.days for cutoff, shop in frame.shops.items() if (level := shop.value_level)}
    value_cutoff, value_days = _longest(values) if values else (None, frame.value_horizon_days)
    trying = _Trying(frame, lifespan_years, rungs, incumbent)
    tried = trying.at(churn_cutoff, churn_days, value_days, needs_value=value_cutoff == churn_cutoff)
    has_churned = frame.has_churned[tried.chosen]
    churn_by = {name: prediction[0] for name, prediction in tried.by_predictor.items()}
    churn = TrialPart(
        churn_cutoff,
        tried.held_out,
        {name: churn_metrics(probability, has_churned) for name, probability in churn_by.items()},
        "log loss",
        {name: log_losses(probability, has_churned.astype(np.float64)) for name, probability in churn_by.items()},
        NEGLIGIBLE_LOG_LOSS,
    )
    if value_cutoff is None:
        return Trial(churn, None, churn_by, has_churned)
    if value_cutoff != churn_cutoff:
        level = frame.shops[value_cutoff].churn_level
        churn_days = level.days if level else frame.churn_horizon_days
        tried = trying.at(value_cutoff, churn_days, value_days, needs_value=True)
    revenue = frame.value[tried.chosen]
    value_by = {name: prediction[1] for name, prediction in tried.by_predictor.items()}
    if value_days != frame.value_horizon_days:
        value_by.pop(SERVING, None)
    metrics = {name: value_metrics(expected, revenue) for name, expected in value_by.items()}
    for name, quantiles in tried.quantiles.items():
        metrics[name] |= quantile_metrics(quantiles, value_by[name], revenue)
    value = TrialPart(
        value_cutoff,
        tried.held_out,
        metrics,
        "squared error of the value",
        {name: (expected - revenue) ** 2 for name, expected in value_by.items()},
        max(NEGLIGIBLE_SHARE * float(revenue.mean()), NEGLIGIBLE_AMOUNT) ** 2,
    )
    return Trial(churn, value, churn_by, has_churned)


@dataclass(frozen=True)
class Tried:
    """Churn probability and expected value by predictor, and by model its quantiles of the value, for the rows that `chosen` tells."""

    held_out: HeldOut
    chosen: NDArray[np.bool_]
    by_predictor: Mapping[str, tuple[Figures, Figures]]
    quantiles: Mapping[str, Figures]


def _longest(days: Mapping[date, int]) -> tuple[date, int]:
    """The latest of the cutoffs with the longest window, and its length."""
    cutoff = max(days, key=lambda one: (days[one], one))
    return cutoff, days[cutoff]


@dataclass(frozen=True)
class _Trying:
    frame: TrainingFrame
    lifespan_years: float
    rungs: Sequence[Rung]
    incumbent: Incumbent | None

    def at(self, cutoff: date, churn_days: int, value_days: int, *, needs_value: bool) -> Tried:
        held_out, split = self._split(cutoff, needs_value=needs_value)
        # Other customers of the same days know the level of these days.
        levels = self.frame.shops[cutoff].levels if held_out == "other customers" else None
        rows = self.frame.where(split.chosen).features
        learned_from = split.learned_from.where(some_customers(split.learned_from.customers, TRIAL_ROWS))
        predictions = {
            "rules": Rules.fitted(rows, churn_days, value_days).predict(rows),
            "formula": Formula(churn_days, value_days, self.lifespan_years).predict(rows),
        }
        if "buy_till_you_die" in self.rungs:
            expectation = fit_expectation_model(learned_from, cutoff, churn_days=churn_days, value_days=value_days, levels=levels)
            predictions["buy_till_you_die"] = expectation.predict(rows)
        if "blend" in self.rungs:
            blend = fit_model(learned_from, cutoff, rows, churn_days=churn_days, value_days=value_days, levels=levels)
            predictions["blend"] = blend.predict(rows)
        if self.incumbent is not None and self._is_fair(self.incumbent, held_out, cutoff, churn_days):
            predictions[SERVING] = self.incumbent.model.predict(rows)
        by_predictor = {name: (one.churn_probability, one.expected_value) for name, one in predictions.items()}
        if len(learned_from):
            cells = RfmCells.fitted(learned_from)
            by_predictor[CELLS] = cells.churn_probability(rows), cells.expected_value(rows)
        quantiles = {name: one.value_quantiles for name, one in predictions.items() if one.value_quantiles is not None}
        return Tried(held_out, split.chosen, by_predictor, quantiles)

    def _is_fair(self, incumbent: Incumbent, held_out: HeldOut, cutoff: date, churn_days: int) -> bool:
        is_later = held_out == "later cutoff" and cutoff >= incumbent.trained_as_of
        return is_later and churn_days == self.frame.churn_horizon_days == incumbent.model.churn_days

    def _split(self, cutoff: date, *, needs_value: bool) -> tuple[HeldOut, Split]:
        at = self.frame.is_at(cutoff)
        known = self.frame.known_at(cutoff)
        outcomes = known.has_churned[known.has_value] if needs_value else known.has_churned
        if "blend" not in self.rungs or min(int(outcomes.sum()), int((~outcomes).sum())) >= FEWEST_OF_AN_OUTCOME:
            return "later cutoff", Split(known, at)
        fold = folds_by_customer(self.frame.customers, TRIAL_FOLDS)
        return "other customers", Split(self.frame.where(fold != 0), at & (fold == 0))
