"""What a training tells of the model that it made: on what, how good beside simpler ones, and why it is this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb

from models.hindcast import Hindcast
from models.promotion import Choice
from models.tastes import Tastes
from models.training_frame import TrainingFrame
from models.trial import Trial
from models.weighting import Weighting
from regulars.home import Home
from regulars.run import Run
from regulars.tables import BLEND_MEMBERS, CALIBRATION_BINS, HINDCASTS, MODEL_EVALUATIONS
from regulars.warehouse import open_warehouse


@dataclass(frozen=True)
class ModelCard:
    """What stands in the manifest beside the model, and in the warehouse for the report."""

    trial: Trial
    choice: Choice
    hindcasts: Sequence[Hindcast]
    weightings: Mapping[str, Weighting]
    tastes: Tastes

    def facts(self, run: Run, frame: TrainingFrame) -> dict[str, Any]:
        """As plain JSON."""
        prediction, trial, choice = run.settings.prediction, self.trial, self.choice
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
            "rung": choice.rung,
            "nothing_higher_because": choice.reasons,
            "against_serving": choice.against_serving,
            "weights": {target: asdict(weighting) for target, weighting in self.weightings.items()},
            "hindcasts": {one.cutoff.isoformat(): _plain(one.metrics()) for one in self.hindcasts},
            "tastes": self.tastes.facts,
            "libraries": {"xgboost": xgb.__version__, "numpy": np.__version__, "pyarrow": pa.__version__},
        }

    def write(self, home: Home, version: str) -> None:
        evaluations = [
            {"model_version": version, "as_of_date": part.cutoff, "predictor": predictor, "metric": metric, "value": value}
            for part in self.trial.parts
            for predictor, metrics in part.metrics.items()
            for metric, value in metrics.items()
            if np.isfinite(value)
        ]
        evaluations += [
            {"model_version": version, "as_of_date": cutoff, "predictor": predictor, "metric": metric, "value": value}
            for cutoff, predictor, metric, value in self.tastes.evaluations
        ]
        bins = [
            {"model_version": version, "bin": number, "customers_count": count, "predicted": predicted, "actual": actual}
            for number, count, predicted, actual in self.trial.bins(self.choice.rung)
        ]
        members = [{"model_version": version, "target": target} | row for target, one in self.weightings.items() for row in one.rows()]
        rows = (rows.append_column("model_version", pa.repeat(version, len(rows))) for one in self.hindcasts for rows in one.rows())
        with open_warehouse(home, role="scorer") as warehouse:
            warehouse.replace_slice(MODEL_EVALUATIONS, version, [pa.Table.from_pylist(evaluations)])
            warehouse.replace_slice(CALIBRATION_BINS, version, [pa.Table.from_pylist(bins)])
            warehouse.replace_slice(BLEND_MEMBERS, version, [pa.Table.from_pylist(members)] if members else [])
            warehouse.replace_slice(HINDCASTS, version, [pa.concat_tables(rows)] if self.hindcasts else [])


def _plain(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """The metrics as JSON can hold them: one that is not defined is null."""
    return {
        predictor: {metric: value if np.isfinite(value) else None for metric, value in by_metric.items()}
        for predictor, by_metric in metrics.items()
    }
