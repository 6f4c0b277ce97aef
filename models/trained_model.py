"""One trained model as a whole, the blend: fitting, predicting, and its files and description in an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np
from scipy.special import expit

from models.arithmetic import on_one_thread
from models.boosting import Columns, from_json, to_json
from models.churn import ChurnModel, fit_churn
from models.expectation import Expectation, Expected, Level, predicted_level
from models.feature_matrix import Feature, FeatureEncoding, Matrix, Rows
from models.hindcast import Unseen
from models.lifetime_value import ValueModel, fit_value
from models.line import Line
from models.offsets import COLUMNS, Offsets
from models.prediction import NEXT_ORDER_SHARES, Figures, Prediction
from models.training_frame import TrainingFrame
from models.value_quantiles import ValueQuantiles, fit_quantiles

CHURN_FILES = {"on_offset": "churn_on_offset.json", "alone": "churn_alone.json"}
VALUE_FILES = {"severity": "value_severity.json", "tweedie": "value_tweedie.json"}


@dataclass(frozen=True)
class TrainedModel:
    """What predicts: the buy-till-you-die models of as_of, the level that is predicted for it, and the members on top."""

    encoding: FeatureEncoding
    expectation: Expectation
    churn_days: int
    churn_level: Level
    value_days: int
    value_level: Level
    churn: ChurnModel
    value: ValueModel
    quantiles: ValueQuantiles | None
    """None where too few customers spent to know how values are distributed."""

    unseen: Unseen | None = field(default=None, repr=False, compare=False)
    """What the fit says of its own rows, each by trees that its customer was kept from; no part of the artefact."""

    def predict(self, rows: Rows) -> Prediction:
        """Predictions for rows of `customer_features`, each the same whatever rows stand beside it.

        The expected value is divided between those who order within the churn horizon and those who do not by what
        buy-till-you-die expects of a customer who stays silent so long, scaled as the blend scales the customer's value.
        """
        with on_one_thread():
            return self._predict(rows)

    def churn_log_odds(self, rows: Rows) -> Figures:
        """Log odds of churn alone, shape (n,)."""
        with on_one_thread():
            return self.churn.log_odds(*self.seen(rows))

    def offsets(self, rows: Rows) -> Offsets:
        return self._offsets(self.expectation.of(rows))

    def seen(self, rows: Rows) -> tuple[Matrix, Columns, Offsets]:
        """What the members are shown of the rows."""
        return self._seen(rows, self.offsets(rows))

    def _offsets(self, expected: Expected) -> Offsets:
        return Offsets.of(expected, self.churn_days, self.churn_level, self.value_days, self.value_level)

    def _seen(self, rows: Rows, offsets: Offsets) -> tuple[Matrix, Columns, Offsets]:
        return offsets.beside(self.encoding, rows), _columns(self.encoding), offsets

    def _predict(self, rows: Rows) -> Prediction:
        expected = self.expectation.of(rows)
        matrix, columns, offsets = self._seen(rows, self._offsets(expected))
        log_odds = self.churn.log_odds(matrix, columns, offsets)
        value = self.value.expected(matrix, columns, offsets, log_odds)
        silent = value * expected.silent_value_ratio(self.churn_days, self.value_days)
        order_probability = offsets.order_probability(log_odds)
        return Prediction.of(
            expit(log_odds),
            silent + (value - silent) / np.maximum(expit(-log_odds), 1e-12),
            silent,
            expected_orders=order_probability * offsets.orders_if_any,
            order_probability=order_probability,
            days_to_order=np.stack([expected.days_to_order(share, self.value_days) for share in NEXT_ORDER_SHARES]),
            value_days=self.value_days,
            value_quantiles=None if self.quantiles is None else self.quantiles.of(order_probability, value),
        )

    def files(self) -> dict[str, bytes]:
        """The boosters as JSON, by file name."""
        members = [(name, getattr(self.churn, member)) for member, name in CHURN_FILES.items()]
        members += [(name, getattr(self.value, member)) for member, name in VALUE_FILES.items()]
        return {name: to_json(booster) for name, booster in members if booster is not None}

    def description(self) -> dict[str, Any]:
        """What is needed beside the files to predict, as plain JSON."""
        return {
            "features": [asdict(feature) for feature in self.encoding.features],
            "categories": {name: list(values) for name, values in self.encoding.categories.items()},
            "expectation": self.expectation.to_dict(),
            "churn_days": self.churn_days,
            "churn_level": asdict(self.churn_level),
            "value_days": self.value_days,
            "value_level": asdict(self.value_level),
            "churn": self.churn.description(),
            "value": self.value.description(),
            "quantiles": None if self.quantiles is None else self.quantiles.description(),
        }

    @classmethod
    def from_artefact(cls, description: Mapping[str, Any], files: Mapping[str, bytes]) -> TrainedModel:
        """The model that `files` and `description` were made from; their hashes must have been checked before."""
        churn, value, quantiles = description["churn"], description["value"], description["quantiles"]
        trees = {member: from_json(files[name]) for member, name in CHURN_FILES.items()}
        spending = {member: from_json(files[name]) if name in files else None for member, name in VALUE_FILES.items()}
        return cls(
            FeatureEncoding(
                tuple(Feature(feature["name"], feature["kind"]) for feature in description["features"]),
                {name: tuple(values) for name, values in description["categories"].items()},
            ),
            Expectation.from_dict(description["expectation"]),
            description["churn_days"],
            Level(**description["churn_level"]),
            description["value_days"],
            Level(**description["value_level"]),
            ChurnModel(**trees, line=Line.from_dict(churn["line"]), alone_shift=churn["alone_shift"], anchor=churn["anchor"]),
            ValueModel(**spending, anchor=value["anchor"]),
            None if quantiles is None else ValueQuantiles(**quantiles),
        )


def fit_model(
    frame: TrainingFrame,
    as_of: date,
    now: Rows,
    *,
    churn_days: int | None = None,
    value_days: int | None = None,
    levels: tuple[Level, Level] | None = None,
) -> TrainedModel:
    """Fit churn and value on a frame with at least one row, for predictions at `as_of`.

    Args:
        frame: what was known at `as_of`, with `shops` for its cutoffs and for `as_of`.
        now: features of customers at `as_of`, to whose level the members are brought.
        churn_days, value_days: the horizons to predict; None for the frame's.
        levels: the levels of churn and of value; None to predict them from the cutoffs.
    """
    churn_days, value_days = churn_days or frame.churn_horizon_days, value_days or frame.value_horizon_days
    shop, past = frame.shops[as_of], list(frame.shops.values())
    churn_level, value_level = levels or (
        predicted_level(((one, one.churn_level) for one in past), shop, churn_days),
        predicted_level(((one, one.value_level) for one in past), shop, value_days),
    )
    encoding = FeatureEncoding.learned_from(frame.features)
    columns, offsets = _columns(encoding), _offsets_of(frame)
    matrix = offsets.beside(encoding, frame.features)
    churn, churn_unseen = fit_churn(frame, matrix, columns, offsets)
    value, value_unseen = fit_value(frame, matrix, columns, offsets, churn_unseen)
    quantiles = fit_quantiles(frame, as_of, offsets.order_probability(churn_unseen), value_unseen)
    unseen = Unseen(churn_unseen, value_unseen, offsets)
    offsets = Offsets.of(shop.expectation.of(now), churn_days, churn_level, value_days, value_level)
    matrix = offsets.beside(encoding, now)
    churn = churn.anchored(matrix, columns, offsets)
    value = value.anchored(matrix, columns, offsets, churn.log_odds(matrix, columns, offsets))
    return TrainedModel(encoding, shop.expectation, churn_days, churn_level, value_days, value_level, churn, value, quantiles, unseen)


def _offsets_of(frame: TrainingFrame) -> Offsets:
    """Each row's offsets by the models and the levels of its own cutoff."""
    found = {field.name: np.zeros(len(frame)) for field in fields(Offsets)}
    for cutoff in frame.churn_cutoffs:
        at, shop = frame.is_at(cutoff), frame.shops[cutoff]
        churn, value = shop.churn_level, shop.value_level
        part = Offsets.of(
            shop.expectation.of(frame.where(at).features),
            churn.days if churn else frame.churn_horizon_days,
            churn.level if churn else Level(),
            value.days if value else frame.value_horizon_days,
            value.level if value else Level(),
        )
        for name, values in found.items():
            values[at] = getattr(part, name)
    return Offsets(**found)


def _columns(encoding: FeatureEncoding) -> Columns:
    return Columns([*encoding.feature_names, *COLUMNS], [*encoding.feature_types, *("q" for _ in COLUMNS)])
