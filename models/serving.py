"""Which rung of the ladder scores a night, ready to predict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from models.baselines import Formula
from models.feature_matrix import Rows
from models.ladder import Bearing, borne_by
from models.prediction import Prediction
from models.registry import FORMULA_VERSION, RULES_VERSION, UNTRAINED, load_model, place_of, promoted_for, serving_of
from models.rules import Rules
from regulars.errors import ArtefactError
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES
from regulars.warehouse import Warehouse


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


def scorer_for(home: Home, warehouse: Warehouse, as_of: date, settings: HomeSettings, version: str | None = None) -> Scorer:
    """What scores `as_of`: the version that scored a past night; without one the model promoted for as_of, else what needs no training.

    Args:
        warehouse: with the features of as_of.

    Raises:
        InputError: there is no model of that version any more.
        ArtefactError: the promoted model is damaged, or predicts other horizons or another currency than configured.
    """
    prediction = settings.prediction
    if version is not None and version in UNTRAINED:
        return _untrained(warehouse, as_of, settings, version, "it scored the night at the time")
    serving = serving_of(home, version) if version else promoted_for(home, as_of)
    if serving is None or serving.is_untrained:
        bearing = bearing_of(warehouse, as_of)
        why = f"no model was trained by {as_of}" if serving is None else serving.why
        if bearing.highest == "rules":
            return _untrained(warehouse, as_of, settings, RULES_VERSION, str(bearing.why_not_higher))
        return _untrained(warehouse, as_of, settings, FORMULA_VERSION if serving is None else serving.version, why)
    if not serving.fits(settings):
        raise ArtefactError(
            f"{place_of(home, serving)}: the model predicts churn over {serving.churn_horizon_days} days and value over "
            f"{serving.value_horizon_days} days in {serving.currency}; the configuration asks for {prediction.churn_horizon_days}, "
            f"{prediction.value_horizon_days} and {settings.shop.currency}. Train anew with `make train`"
        )
    model = load_model(home, serving)
    return Scorer(model, serving.version, model.rung, serving.why)


def bearing_of(warehouse: Warehouse, as_of: date) -> Bearing:
    """What the customers of `as_of` bear, by how many of them ordered on a second day."""
    if not warehouse.exists(CUSTOMER_FEATURES):
        return borne_by(0, 0)
    counted = warehouse.rows(
        "select count(*), sum(case when repeat_order_days_count > 0 then 1 else 0 end) "
        f"from {CUSTOMER_FEATURES.qualified_name} where as_of_date = ?",
        [as_of],
    )[0]
    return borne_by(int(counted[0]), int(counted[1] or 0))


def _untrained(warehouse: Warehouse, as_of: date, settings: HomeSettings, version: str, why: str) -> Scorer:
    prediction = settings.prediction
    horizons = prediction.churn_horizon_days, prediction.value_horizon_days
    predictor: Rules | Formula
    if version == RULES_VERSION:
        columns = f"select {', '.join(Rules.columns)} from {CUSTOMER_FEATURES.qualified_name}"
        # In one order: that of a sum decides its last bits, and a past night must be rebuilt to the same lists.
        predictor = Rules.fitted(warehouse.arrow(f"{columns} where as_of_date = ? order by {', '.join(Rules.columns)}", [as_of]), *horizons)
    else:
        predictor = Formula(*horizons, prediction.formula_lifespan_years)
    return Scorer(predictor, version, predictor.rung, why)
