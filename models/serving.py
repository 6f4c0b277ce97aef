"""Which model scores a night, ready to predict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from models.baselines import Formula
from models.feature_matrix import Rows
from models.prediction import Prediction
from models.registry import FORMULA_VERSION, load_model, place_of, promoted_for, serving_of
from regulars.errors import ArtefactError
from regulars.home import Home
from regulars.settings import HomeSettings


class Predictor(Protocol):
    """Anything that predicts from rows of `customer_features`, each row by itself."""

    def predict(self, rows: Rows) -> Prediction: ...


@dataclass(frozen=True)
class Scorer:
    """A predictor with the version and the rung that stand beside each score, and why it is this one."""

    predictor: Predictor
    model_version: str
    scored_by: str
    why: str


def scorer_for(home: Home, as_of: date, settings: HomeSettings, version: str | None = None) -> Scorer:
    """The model of that `version`, of which a past night was scored; without one the model promoted for `as_of`, else the formula.

    Raises:
        InputError: there is no model of that version any more.
        ArtefactError: the promoted model is damaged, or predicts other horizons or another currency than configured.
    """
    prediction = settings.prediction
    serving = None
    if version != FORMULA_VERSION:
        serving = serving_of(home, version) if version else promoted_for(home, as_of)
    if serving is None or serving.is_formula:
        formula = Formula(prediction.churn_horizon_days, prediction.value_horizon_days, prediction.formula_lifespan_years)
        return Scorer(formula, FORMULA_VERSION, "formula", f"no model was trained by {as_of}" if serving is None else serving.why)
    if not serving.fits(settings):
        raise ArtefactError(
            f"{place_of(home, serving)}: the model predicts churn over {serving.churn_horizon_days} days and value over "
            f"{serving.value_horizon_days} days in {serving.currency}; the configuration asks for {prediction.churn_horizon_days}, "
            f"{prediction.value_horizon_days} and {settings.shop.currency}. Train anew with `make train`"
        )
    return Scorer(load_model(home, serving), serving.version, "blend", f"trained {serving.trained_as_of}")
