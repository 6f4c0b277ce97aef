"""The weekly training: learn from past cutoffs, try the model against the baselines, and decide which model serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb

from models.arithmetic import on_one_thread
from models.hindcast import Hindcast, run_hindcasts
from models.registry import FORMULA_VERSION, Serving, decide, decisions, load_model, save_model
from models.trained_model import fit_model
from models.training_cutoffs import SHORTEST_WINDOW_DAYS, first_event_date, training_cutoffs
from models.training_frame import TrainingFrame, read_features, read_training_frame
from models.trial import MODEL, Trial, run_trial
from regulars.errors import ArtefactError, InputError
from regulars.home import Home
from regulars.run import Kind, Run, step
from regulars.tables import AS_OF_DATES, CALIBRATION_BINS, CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, HINDCASTS, MODEL_EVALUATIONS, Table
from regulars.warehouse import Warehouse, open_warehouse


def train(home: Home, as_of: date, kind: Kind = "training") -> None:
    """Train on what was known at `as_of` and promote the model if it is not worse than the baselines.

    A shop with too little to learn from is decided to be scored by the formula. Either way the decision, its reason and,
    for a trained model, its evaluation are recorded; training again for the same as_of gives the same ones.

    Raises:
        InputError: the features or outcomes of the cutoffs have not been built.
    """
    with step(home, "train", kind, as_of) as run, on_one_thread():
        frame, now, why_too_small = _read(run)
        if why_too_small is not None:
            run.summary = _decide(run, None, f"the formula scores: {why_too_small}")
            return
        trial = run_trial(frame, run.settings.prediction.formula_lifespan_years)
        shortcomings = trial.shortcomings(run.settings.prediction.training.promotion_tolerance)
        model = fit_model(frame, as_of, now)
        hindcasts = run_hindcasts(frame, model.unseen, model.quantiles, run.settings.prediction.formula_lifespan_years)
        facts = _facts(run, frame, trial, shortcomings) | {
            "hindcasts": {one.cutoff.isoformat(): _plain(one.metrics()) for one in hindcasts}
        }
        version, manifest_sha256 = save_model(home, as_of, model, facts)
        _write_evaluation(home, version, trial, hindcasts)
        quality = _in_words(trial)
        if not shortcomings:
            run.summary = _decide(run, (version, manifest_sha256), f"{version} promoted: {quality}")
            return
        serving = _still_serving(run)
        kept = None if serving is None else (serving.version, str(serving.manifest_sha256))
        what = "the formula scores" if serving is None else f"{serving.version} goes on"
        run.summary = _decide(run, kept, f"{version} not promoted, {what}: {'; '.join(shortcomings)}")


def _read(run: Run) -> tuple[TrainingFrame, pa.Table, str | None]:
    """What there is to learn from, the features of as_of, and why it is too little, when it is."""
    prediction = run.settings.prediction
    with open_warehouse(run.home, role="scorer", read_only=True) as warehouse:
        cutoffs = training_cutoffs(prediction, run.as_of, first_event_date(warehouse, run.settings.shop.time_zone))
        training = prediction.training
        horizons = (prediction.churn_horizon_days, prediction.value_horizon_days)
        _require_built(warehouse, cutoffs, run.as_of)
        frame = read_training_frame(warehouse, cutoffs, run.as_of, *horizons, training.max_rows)
        now = read_features(warehouse, run.as_of, training.max_rows) if cutoffs else frame.features
    if not cutoffs:
        needed = training.min_history_days + min(*horizons, SHORTEST_WINDOW_DAYS)
        return frame, now, f"{training.min_history_days} days of history and a window to learn from need {needed} days of orders"
    customers = len(np.unique(frame.customers))
    if customers < training.min_customers:
        return frame, now, f"{customers} customers before the training cutoffs, {training.min_customers} are needed"
    for outcome, is_one in (("churned", frame.has_churned), ("ordered again", ~frame.has_churned)):
        count = len(np.unique(frame.customers[is_one]))
        if count < training.min_outcomes:
            return frame, now, f"{count} customers who {outcome}, {training.min_outcomes} are needed"
    return frame, now, None


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


def _facts(run: Run, frame: TrainingFrame, trial: Trial, shortcomings: list[str]) -> dict[str, Any]:
    prediction = run.settings.prediction
    return {
        "churn_horizon_days": prediction.churn_horizon_days,
        "value_horizon_days": prediction.value_horizon_days,
        "currency": run.settings.shop.currency,
        "churn_cutoffs": [cutoff.isoformat() for cutoff in frame.churn_cutoffs],
        "levels": {
            cutoff.isoformat(): {
                name: {"days": seen.days} | asdict(seen.level)
                for name, seen in (("churn", shop.churn_level), ("value", shop.value_level))
                if seen is not None
            }
            for cutoff, shop in frame.shops.items()
            if cutoff != run.as_of
        },
        "is_open_to_new_customers": frame.shops[run.as_of].is_open,
        "rows": len(frame),
        "customers": len(np.unique(frame.customers)),
        "trial": {
            name: {"cutoff": part.cutoff.isoformat(), "held_out": part.held_out, "metrics": _plain(part.metrics)}
            for name, part in (("churn", trial.churn), ("value", trial.value))
            if part is not None
        },
        "not_promoted_because": shortcomings,
        "libraries": {"xgboost": xgb.__version__, "numpy": np.__version__, "pyarrow": pa.__version__},
    }


def _plain(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """The metrics as JSON can hold them: one that is not defined is null."""
    return {
        predictor: {metric: value if np.isfinite(value) else None for metric, value in by_metric.items()}
        for predictor, by_metric in metrics.items()
    }


def _write_evaluation(home: Home, version: str, trial: Trial, hindcasts: Sequence[Hindcast]) -> None:
    evaluations = [
        {"model_version": version, "as_of_date": part.cutoff, "predictor": predictor, "metric": metric, "value": value}
        for part in (trial.churn, trial.value)
        if part is not None
        for predictor, metrics in part.metrics.items()
        for metric, value in metrics.items()
        if np.isfinite(value)
    ]
    bins = [
        {"model_version": version, "bin": number, "customers_count": count, "predicted": predicted, "actual": actual}
        for number, count, predicted, actual in trial.bins
    ]
    with open_warehouse(home, role="scorer") as warehouse:
        warehouse.replace_slice(MODEL_EVALUATIONS, version, [pa.Table.from_pylist(evaluations)])
        warehouse.replace_slice(CALIBRATION_BINS, version, [pa.Table.from_pylist(bins)])
        rows = (rows.append_column("model_version", pa.repeat(version, len(rows))) for one in hindcasts for rows in one.rows())
        warehouse.replace_slice(HINDCASTS, version, [pa.concat_tables(rows)] if hindcasts else [])


def _still_serving(run: Run) -> Serving | None:
    """The trained model that an earlier training promoted and that can go on; None where the formula must."""
    try:
        earlier = [serving for serving in decisions(run.home) if serving.trained_as_of < run.as_of]
        if not earlier or earlier[-1].is_formula or not earlier[-1].fits(run.settings):
            return None
        load_model(run.home, earlier[-1])
    except ArtefactError:
        return None
    return earlier[-1]


def _decide(run: Run, model: tuple[str, str] | None, why: str) -> str:
    """Record which model serves from the run's as_of on; what to tell about it."""
    version, manifest_sha256 = model if model is not None else (FORMULA_VERSION, None)
    prediction = run.settings.prediction
    serving = Serving(
        trained_as_of=run.as_of,
        version=version,
        manifest_sha256=manifest_sha256,
        churn_horizon_days=prediction.churn_horizon_days,
        value_horizon_days=prediction.value_horizon_days,
        currency=run.settings.shop.currency,
        why=why,
    )
    is_whole = decide(run.home, serving)
    return why if is_whole else f"{why}; promoted.json was damaged: put aside, earlier decisions are forgotten"


def _in_words(trial: Trial) -> str:
    churn = trial.churn.metrics
    words = f"log loss {churn[MODEL]['log_loss']:.3f} (formula {churn['formula']['log_loss']:.3f}), AUC {churn[MODEL]['roc_auc']:.3f}"
    if trial.value is None:
        return words
    value = trial.value.metrics
    return f"{words}; Gini of the value {value[MODEL]['gini']:.3f} (formula {value['formula']['gini']:.3f})"
