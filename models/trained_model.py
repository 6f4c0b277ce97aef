"""One trained model as a whole, the blend: fitting, predicting, and its files and description in an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, ClassVar

from models.arithmetic import on_one_thread
from models.boosting import Columns
from models.churn import ChurnModel, fit_churn
from models.expectation import Expectation, Expected, Level
from models.expectation_model import offsets_of, predicted_levels, prediction_of
from models.feature_matrix import Feature, FeatureEncoding, Matrix, Rows
from models.hindcast import Unseen
from models.ladder import Rung
from models.lifetime_value import ValueModel, fit_value
from models.line import Line
from models.offsets import COLUMNS, Offsets
from models.prediction import Figures, Prediction
from models.shallow_trees import ShallowTrees
from models.training_frame import TrainingFrame
from models.value_quantiles import ValueQuantiles, fit_quantiles
from models.weighting import Weighting

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
    """What the fit says of its own rows, each by members that its customer was kept from; no part of the artefact."""

    weightings: Mapping[str, Weighting] = field(default_factory=dict, repr=False, compare=False)
    """How the weights of the members were chosen, by target where there was a choice; no part of the artefact."""

    rung: ClassVar[Rung] = "blend"

    def predict(self, rows: Rows) -> Prediction:
        """Predictions for rows of `customer_features`, each the same whatever rows stand beside it."""
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
        return prediction_of(expected, offsets, log_odds, value, self.churn_days, self.value_days, self.quantiles)

    def files(self) -> dict[str, bytes]:
        """The boosters as XGBoost's JSON, by file name."""
        members = [(name, getattr(self.churn, member)) for member, name in CHURN_FILES.items()]
        members += [(name, getattr(self.value, member)) for member, name in VALUE_FILES.items()]
        return {name: trees.content for name, trees in members if trees is not None}

    def description(self) -> dict[str, Any]:
        """What is needed beside the files to predict, as plain JSON."""
        return {
            "rung": self.rung,
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
        trees, spending = (
            {member: ShallowTrees.from_json(files[name]) if name in files else None for member, name in names.items()}
            for names in (CHURN_FILES, VALUE_FILES)
        )
        line = None if churn["line"] is None else Line.from_dict(churn["line"])
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
            ChurnModel(churn["weights"], **trees, line=line, alone_shift=churn["alone_shift"], anchor=churn["anchor"]),
            ValueModel(value["weights"], **spending, anchor=value["anchor"]),
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
    shop = frame.shops[as_of]
    churn_level, value_level = levels or predicted_levels(frame, as_of, churn_days, value_days)
    encoding = FeatureEncoding.learned_from(frame.features)
    columns, offsets = _columns(encoding), offsets_of(frame)
    matrix = offsets.beside(encoding, frame.features)
    churn, churn_unseen, of_churn = fit_churn(frame, matrix, columns, offsets)
    value, value_unseen, of_value = fit_value(frame, matrix, columns, offsets, churn_unseen)
    weightings = {name: one for name, one in (("churn", of_churn), ("value", of_value)) if one is not None}
    quantiles = fit_quantiles(frame, as_of, offsets.order_probability(churn_unseen), value_unseen)
    unseen = Unseen(offsets, churn_unseen, value_unseen)
    offsets = Offsets.of(shop.expectation.of(now), churn_days, churn_level, value_days, value_level)
    matrix = offsets.beside(encoding, now)
    churn = churn.anchored(matrix, columns, offsets)
    value = value.anchored(matrix, columns, offsets, churn.log_odds(matrix, columns, offsets))
    return TrainedModel(
        encoding, shop.expectation, churn_days, churn_level, value_days, value_level, churn, value, quantiles, unseen, weightings
    )


def _columns(encoding: FeatureEncoding) -> Columns:
    return Columns([*encoding.feature_names, *COLUMNS], [*encoding.feature_types, *("q" for _ in COLUMNS)])
