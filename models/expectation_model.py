"""The rung below the blend: what buy-till-you-die models expect on the predicted level, with no member on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from models.arithmetic import on_one_thread
from models.expectation import Expectation, Expected, Level, predicted_level
from models.feature_matrix import Rows
from models.hindcast import Unseen
from models.ladder import Rung
from models.offsets import Offsets, amounts_of
from models.prediction import NEXT_ORDER_SHARES, Figures, Prediction
from models.training_frame import TrainingFrame
from models.value_quantiles import ValueQuantiles, fit_quantiles
from models.weighting import Weighting


@dataclass(frozen=True)
class ExpectationModel:
    """MBG/NBD and Gamma-Gamma of as_of, and the level that is predicted for it."""

    expectation: Expectation
    churn_days: int
    churn_level: Level
    value_days: int
    value_level: Level
    is_worthless: bool
    """Whether nobody has spent anything after any cutoff."""
    quantiles: ValueQuantiles | None
    """None where too few customers spent to know how values are distributed."""

    unseen: Unseen | None = field(default=None, repr=False, compare=False)
    """What it would have said of the rows that it was fitted on; no part of the artefact."""

    rung: ClassVar[Rung] = "buy_till_you_die"
    weightings: ClassVar[Mapping[str, Weighting]] = {}
    """It has no members to weigh."""

    def predict(self, rows: Rows) -> Prediction:
        """Predictions for rows of `customer_features`, each the same whatever rows stand beside it."""
        with on_one_thread():
            expected = self.expectation.of(rows)
            offsets = Offsets.of(expected, self.churn_days, self.churn_level, self.value_days, self.value_level)
            value = amounts_of(offsets.value) * (not self.is_worthless)
            return prediction_of(expected, offsets, offsets.churn, value, self.churn_days, self.value_days, self.quantiles)

    def files(self) -> dict[str, bytes]:
        """None: the description holds all."""
        return {}

    def description(self) -> dict[str, Any]:
        """What is needed to predict, as plain JSON."""
        return {
            "rung": self.rung,
            "expectation": self.expectation.to_dict(),
            "churn_days": self.churn_days,
            "churn_level": asdict(self.churn_level),
            "value_days": self.value_days,
            "value_level": asdict(self.value_level),
            "is_worthless": self.is_worthless,
            "quantiles": None if self.quantiles is None else self.quantiles.description(),
        }

    @classmethod
    def from_artefact(cls, description: Mapping[str, Any], _: Mapping[str, bytes]) -> ExpectationModel:
        """The model that `description` was made from; there are no files to it."""
        quantiles = description["quantiles"]
        return cls(
            Expectation.from_dict(description["expectation"]),
            description["churn_days"],
            Level(**description["churn_level"]),
            description["value_days"],
            Level(**description["value_level"]),
            description["is_worthless"],
            None if quantiles is None else ValueQuantiles(**quantiles),
        )


def fit_expectation_model(
    frame: TrainingFrame,
    as_of: date,
    *,
    churn_days: int | None = None,
    value_days: int | None = None,
    levels: tuple[Level, Level] | None = None,
) -> ExpectationModel:
    """The model for predictions at `as_of`, of a frame with `shops` for its cutoffs and for `as_of`; it may have no row.

    Args:
        churn_days, value_days: the horizons to predict; None for the frame's.
        levels: the levels of churn and of value; None to predict them from the cutoffs.
    """
    churn_days, value_days = churn_days or frame.churn_horizon_days, value_days or frame.value_horizon_days
    churn_level, value_level = levels or predicted_levels(frame, as_of, churn_days, value_days)
    known = frame.has_value
    is_worthless = bool(known.any()) and not bool((frame.value[known] > 0).any())
    offsets = offsets_of(frame)
    value = amounts_of(offsets.value) * (not is_worthless)
    quantiles = fit_quantiles(frame, as_of, offsets.order_probability(offsets.churn), value)
    return ExpectationModel(
        frame.shops[as_of].expectation, churn_days, churn_level, value_days, value_level, is_worthless, quantiles, Unseen(offsets)
    )


def prediction_of(
    expected: Expected,
    offsets: Offsets,
    churn_log_odds: Figures,
    value: Figures,
    churn_days: int,
    value_days: int,
    quantiles: ValueQuantiles | None,
) -> Prediction:
    """All that is predicted, from the log odds of churn and the expected value, each of shape (n,).

    The expected value is divided between those who order within the churn horizon and those who do not by what
    buy-till-you-die expects of a customer who stays silent so long, scaled as the customer's value is.
    """
    silent = value * expected.silent_value_ratio(churn_days, value_days, offsets.worth)
    order_probability = offsets.order_probability(churn_log_odds)
    return Prediction.of(
        expit(churn_log_odds),
        silent + (value - silent) / np.maximum(expit(-churn_log_odds), 1e-12),
        silent,
        expected_orders=order_probability * offsets.orders_if_any,
        order_probability=order_probability,
        days_to_order=expected.days_to_order(NEXT_ORDER_SHARES, value_days),
        value_days=value_days,
        value_quantiles=None if quantiles is None else quantiles.of(order_probability, value),
    )


def predicted_levels(frame: TrainingFrame, as_of: date, churn_days: int, value_days: int) -> tuple[Level, Level]:
    """The levels of churn and of value to expect after `as_of`, from the frame's cutoffs."""
    shop, past = frame.shops[as_of], list(frame.shops.values())
    return (
        predicted_level(((one, one.churn_level) for one in past), shop, churn_days),
        predicted_level(((one, one.value_level) for one in past), shop, value_days),
    )


def offsets_of(frame: TrainingFrame) -> Offsets:
    """Each row's offsets by the models and the levels of its own cutoff."""
    found = {one.name: np.zeros(len(frame)) for one in fields(Offsets)}
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
