"""The weekly training: learn from past cutoffs, try the rungs of the ladder, and decide which one serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from models.arithmetic import on_one_thread
from models.expectation_model import fit_expectation_model
from models.hindcast import run_hindcasts
from models.ladder import IN_WORDS, Bearing, Rung
from models.model_card import ModelCard
from models.promotion import Choice, chosen
from models.registry import FORMAT, UNTRAINED, Serving, decide, decisions, load_model, save_model
from models.serving import bearing_of
from models.tastes import learn_tastes
from models.trained_model import fit_model
from models.training_cutoffs import SHORTEST_WINDOW_DAYS, first_event_date, training_cutoffs
from models.training_frame import TrainingFrame, read_features, read_training_frame
from models.trial import Incumbent, Trial, run_trial
from regulars.errors import ArtefactError, InputError
from regulars.home import Home
from regulars.run import Kind, Run, step
from regulars.settings import TrainingSettings
from regulars.tables import AS_OF_DATES, CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, Table
from regulars.warehouse import Warehouse, open_warehouse


def train(home: Home, as_of: date, kind: Kind = "training") -> None:
    """Train on what was known at `as_of` and decide which rung of the ladder serves from then on.

    It is the highest that the data can bear and that is not worse than a lower one on past cutoffs, unless the serving model
    is better. The decision, its reason and the evaluation are recorded; training again for the same as_of gives the same ones.

    Raises:
        InputError: the features or outcomes of the cutoffs have not been built.
    """
    with step(home, "train", kind, as_of) as run, on_one_thread():
        frame, now, bearing = _read(run)
        training = run.settings.prediction.training
        if bearing.highest == "rules" or not len(frame):
            run.summary = _decide_untrained(run, bearing.highest, [str(bearing.why_not_higher)])
            return
        incumbent = _incumbent(run)
        trial = run_trial(frame, run.settings.prediction.formula_lifespan_years, bearing.rungs, incumbent)
        choice = chosen(trial, bearing, incumbent, training.promotion_tolerance)
        if choice.keeps_serving:
            run.summary = _keep(run, choice)
        elif choice.rung in ("blend", "buy_till_you_die"):
            model = fit_model(frame, as_of, now) if choice.rung == "blend" else fit_expectation_model(frame, as_of)
            hindcasts = run_hindcasts(frame, model.unseen, model.quantiles, run.settings.prediction.formula_lifespan_years)
            card = ModelCard(trial, choice, hindcasts, model.weightings, learn_tastes(run))
            version, manifest_sha256 = save_model(home, as_of, model, card.facts(run, frame), card.tastes.files)
            card.write(home, version)
            run.summary = _decide(run, version, manifest_sha256, _in_words(version, trial, choice))
        else:
            run.summary = _decide_untrained(run, choice.rung, choice.reasons)


def _read(run: Run) -> tuple[TrainingFrame, pa.Table, Bearing]:
    """What there is to learn from, the features of as_of, and what they can bear."""
    prediction = run.settings.prediction
    with open_warehouse(run.home, role="scorer", read_only=True) as warehouse:
        cutoffs = training_cutoffs(prediction, run.as_of, first_event_date(warehouse, run.settings.shop.time_zone))
        training = prediction.training
        horizons = (prediction.churn_horizon_days, prediction.value_horizon_days)
        _require_built(warehouse, cutoffs, run.as_of)
        frame = read_training_frame(warehouse, cutoffs, run.as_of, *horizons, training.max_rows)
        now = read_features(warehouse, run.as_of, training.max_rows) if cutoffs else frame.features
        bearing = bearing_of(warehouse, run.as_of)
    if not cutoffs:
        needed = training.min_history_days + min(*horizons, SHORTEST_WINDOW_DAYS)
        words = f"{training.min_history_days} days of history and a window to learn from need {needed} days of orders"
        return frame, now, bearing.below("buy_till_you_die", words)
    if not len(frame):
        return frame, now, bearing.below("buy_till_you_die", "no customer had ordered by any training cutoff")
    return frame, now, _borne_by_blend(frame, bearing, training)


def _borne_by_blend(frame: TrainingFrame, bearing: Bearing, training: TrainingSettings) -> Bearing:
    """The bearing, below the blend where that has too few customers to learn from."""
    customers = len(np.unique(frame.customers))
    if customers < training.min_customers:
        return bearing.below("blend", f"{customers:,} customers before the training cutoffs; the blend needs {training.min_customers:,}")
    for outcome, is_one in (("churned", frame.has_churned), ("ordered again", ~frame.has_churned)):
        count = len(np.unique(frame.customers[is_one]))
        if count < training.min_outcomes:
            return bearing.below("blend", f"{count:,} customers who {outcome}; the blend needs {training.min_outcomes:,}")
    return bearing


def _require_built(warehouse: Warehouse, cutoffs: Sequence[date], as_of: date) -> None:
    """A cutoff without customers is possible, one that no build was asked for is a step left out."""
    if not cutoffs:
        return
    asked_for = _dates(warehouse, AS_OF_DATES)
    for table, wanted in ((CUSTOMER_FEATURES, [*cutoffs, as_of]), (CUSTOMER_OUTCOMES, cutoffs)):
        built = _dates(warehouse, table) | asked_for if warehouse.exists(table) else set()
        missing = [day for day in wanted if day not in built]
        if missing:
            raise InputError(
                f"{table.qualified_name} has not been built for {len(missing)} of {len(wanted)} training dates, such as {missing[0]}: "
                f"build it for them first, as `make train` does"
            )


def _dates(warehouse: Warehouse, table: Table) -> set[date]:
    return {day for (day,) in warehouse.rows(f"select distinct as_of_date from {table.qualified_name}")}


def _incumbent(run: Run) -> Incumbent | None:
    """The trained model that an earlier training promoted and that can go on; None where there is none."""
    try:
        earlier = [serving for serving in decisions(run.home) if serving.trained_as_of < run.as_of]
        if not earlier or earlier[-1].is_untrained or not earlier[-1].fits(run.settings):
            return None
        serving = _first_of(earlier)
        return Incumbent(load_model(run.home, serving), serving.version, serving.trained_as_of)
    except ArtefactError:
        return None


def _first_of(earlier: Sequence[Serving]) -> Serving:
    """The decision that first let the serving version serve: a model that went on has learned nothing since."""
    return next(serving for serving in earlier if serving.version == earlier[-1].version)


def _keep(run: Run, choice: Choice) -> str:
    """Let the serving model go on."""
    serving = [serving for serving in decisions(run.home) if serving.trained_as_of < run.as_of][-1]
    return _decide(run, serving.version, serving.manifest_sha256, f"{serving.version} goes on: {'; '.join(_reasons(choice))}")


def _decide_untrained(run: Run, rung: Rung, reasons: Sequence[str]) -> str:
    version = next(version for version, one in UNTRAINED.items() if one == rung)
    verb = "score" if rung == "rules" else "scores"
    return _decide(run, version, None, f"{IN_WORDS[rung]} {verb}: {'; '.join(reasons)}")


def _decide(run: Run, version: str, manifest_sha256: str | None, why: str) -> str:
    """Record which model serves from the run's as_of on; what to tell about it."""
    prediction = run.settings.prediction
    serving = Serving(
        trained_as_of=run.as_of,
        version=version,
        manifest_sha256=manifest_sha256,
        churn_horizon_days=prediction.churn_horizon_days,
        value_horizon_days=prediction.value_horizon_days,
        currency=run.settings.shop.currency,
        why=why,
        format=FORMAT,
    )
    is_whole = decide(run.home, serving)
    return why if is_whole else f"{why}; promoted.json was damaged: put aside, earlier decisions are forgotten"


def _in_words(version: str, trial: Trial, choice: Choice) -> str:
    """What was promoted, how good it is beside the formula, and why nothing higher."""
    churn, rung = trial.churn.metrics, choice.rung
    words = f"{version} promoted: " if rung == "blend" else f"{IN_WORDS[rung]} scores, {version}: "
    words += f"log loss {churn[rung]['log_loss']:.3f} (formula {churn['formula']['log_loss']:.3f}), AUC {churn[rung]['roc_auc']:.3f}"
    if trial.value is not None:
        value = trial.value.metrics
        words += f"; Gini of the value {value[rung]['gini']:.3f} (formula {value['formula']['gini']:.3f})"
    return "; ".join([words, *_reasons(choice)])


def _reasons(choice: Choice) -> list[str]:
    return [*choice.reasons, *([] if choice.against_serving is None else [choice.against_serving])]
