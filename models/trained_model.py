"""One trained model as a whole: fitting, predicting, and its files and description in an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import xgboost as xgb

from models.boosting import Columns, from_json, to_json
from models.calibration import Calibration
from models.churn import ChurnModel, fit_churn
from models.feature_matrix import Feature, FeatureEncoding, Rows
from models.lifetime_value import ConditionalValue, ValueModel, fit_value
from models.prediction import Prediction
from models.season import level_cutoff
from models.training_frame import TrainingFrame

CHURN_FILE = "churn.json"
VALUE_FILES = {"if_ordered": "value_if_ordered.json", "if_churned": "value_if_churned.json"}


@dataclass(frozen=True)
class TrainedModel:
    encoding: FeatureEncoding
    churn: ChurnModel
    value: ValueModel

    def predict(self, rows: Rows) -> Prediction:
        """Predictions for rows of `customer_features`, each the same whatever rows stand beside it."""
        matrix, columns = self.encoding.matrix(rows), _columns(self.encoding)
        return Prediction.of(
            self.churn.probability(matrix, columns),
            self.value.expected_if_ordered(matrix, columns),
            self.value.expected_if_churned(matrix, columns),
        )

    def files(self) -> dict[str, bytes]:
        """The boosters as JSON, by file name."""
        files = {CHURN_FILE: to_json(self.churn.booster)}
        for condition, name in VALUE_FILES.items():
            booster = getattr(self.value, condition).booster
            if booster is not None:
                files[name] = to_json(booster)
        return files

    def description(self) -> dict[str, Any]:
        """What is needed beside the files to predict, as plain JSON."""
        return {
            "features": [asdict(feature) for feature in self.encoding.features],
            "categories": {name: list(values) for name, values in self.encoding.categories.items()},
            "calibration": asdict(self.churn.calibration),
            "value": {
                "scale_if_ordered": self.value.if_ordered.scale,
                "scale_if_churned": self.value.if_churned.scale,
                "extension": self.value.extension,
            },
        }

    @classmethod
    def from_artefact(cls, description: Mapping[str, Any], files: Mapping[str, bytes]) -> TrainedModel:
        """The model that `files` and `description` were made from; their hashes must have been checked before."""
        value = description["value"]
        boosters: dict[str, xgb.Booster | None] = {
            condition: from_json(files[name]) if name in files else None for condition, name in VALUE_FILES.items()
        }
        return cls(
            FeatureEncoding(
                tuple(Feature(feature["name"], feature["kind"]) for feature in description["features"]),
                {name: tuple(values) for name, values in description["categories"].items()},
            ),
            ChurnModel(from_json(files[CHURN_FILE]), Calibration(**description["calibration"])),
            ValueModel(
                ConditionalValue(value["scale_if_ordered"], boosters["if_ordered"]),
                ConditionalValue(value["scale_if_churned"], boosters["if_churned"]),
                value["extension"],
            ),
        )


def fit_model(frame: TrainingFrame, as_of: date, extension: float = 1.0) -> TrainedModel:
    """Fit churn and value on a frame with customers of either outcome, for predictions at `as_of`."""
    encoding = FeatureEncoding.learned_from(frame.features)
    matrix, columns = encoding.matrix(frame.features), _columns(encoding)
    churn_level = level_cutoff(frame, frame.churn_cutoffs, as_of)
    value_level = level_cutoff(frame, frame.value_cutoffs or frame.churn_cutoffs, as_of)
    return TrainedModel(encoding, fit_churn(frame, matrix, columns, churn_level), fit_value(frame, matrix, columns, value_level, extension))


def _columns(encoding: FeatureEncoding) -> Columns:
    return Columns(encoding.feature_names, encoding.feature_types)
