"""Quantiles of the value: how past customers came out against what was expected of them.

A customer's value is 0 where no order comes, else what is expected given an order, times a ratio. The ratios of past
customers, each predicted by trees that the customer was kept from, are pooled over cutoffs, those of customers who were
about as likely to order weighing most. A quantile is then the expected value, given an order, times a factor that depends
on the probability of an order alone: one curve for each level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from scipy.special import expit, logit

from models.expectation import season_cutoff
from models.prediction import QUANTILES, Figures
from models.training_frame import TrainingFrame

KNOTS = np.linspace(-5.0, 5.0, 41)
"""Log odds of an order at which a factor is written down; between them it is interpolated."""

WIDTH = 0.35
ENOUGH_RATIOS = 200.0
FEWEST_SPENDERS = 50
P_MIN = 1e-4
SEASON_DAYS = 20
OTHER_SEASONS = 0.01
"""Weight of a cutoff half a year away, against 1 of one that stood where as_of stands a year later."""

RANKS = np.linspace(0.0025, 0.9975, 200)

LEVEL_ERRORS = (-0.3, 0.0, 0.3)
"""The level of as_of is not known: fewer customers and less money each, as predicted, or more, in log odds and in logarithms.

Half of that to all of it is how far they were off at most dates of the two public shops; in a shop's first year, more.
"""


@dataclass(frozen=True)
class ValueQuantiles:
    """Factors by quantile of `QUANTILES` and by knot, of the expected value given an order."""

    factors: Sequence[Sequence[float]]

    def of(self, order_probability: Figures, expected_value: Figures) -> Figures:
        """The quantiles, shape (len(QUANTILES), n), ascending for each customer."""
        likely = np.clip(order_probability, P_MIN, 1.0 - P_MIN)
        factors = np.stack([np.interp(logit(likely), KNOTS, curve) for curve in self.factors])
        return factors * (expected_value / likely)

    @classmethod
    def fitted(cls, order_probability: Figures, expected_value: Figures, actual: Figures, weights: Figures) -> ValueQuantiles | None:
        """From past customers, each of shape (n,), predicted by what had not seen them; None where too few of them spent."""
        spent = actual > 0
        if not spent.any() and len(actual) >= FEWEST_SPENDERS:
            return cls(np.zeros((len(QUANTILES), len(KNOTS))).tolist())
        if np.count_nonzero(spent) < FEWEST_SPENDERS:
            return None
        likely = np.clip(order_probability[spent], P_MIN, 1.0 - P_MIN)
        ratios = actual[spent] * likely / np.maximum(expected_value[spent], np.finfo(np.float64).tiny)
        order = np.argsort(ratios, kind="stable")
        ratios, place, weight = ratios[order], logit(likely)[order], weights[spent][order]
        curves = np.stack([_factors(knot, _spread(ratios, _near(place, knot, weight))) for knot in KNOTS], axis=1)
        return cls(np.maximum.accumulate(curves, axis=0).tolist())

    def description(self) -> dict[str, Any]:
        return {"factors": [list(curve) for curve in self.factors]}


def fit_quantiles(frame: TrainingFrame, as_of: date, order_probability: Figures, expected_value: Figures) -> ValueQuantiles | None:
    """From the rows whose value is known, predicted by trees that the row's customer was kept from.

    Longer windows weigh more and, where the level is that of a year ago, cutoffs of that time: how far customers scatter
    goes with the season.
    """
    known = frame.has_value
    weights, now = np.zeros(len(frame)), frame.shops[as_of]
    model = season_cutoff(((shop, shop.value_level) for shop in frame.shops.values()), now)
    for cutoff in frame.value_cutoffs:
        level = frame.shops[cutoff].value_level
        weight = ((level.days if level else frame.value_horizon_days) / frame.value_horizon_days) ** 2
        if model is not None:
            weight *= OTHER_SEASONS + float(np.exp(-0.5 * ((model[0].day - cutoff).days / SEASON_DAYS) ** 2))
        weights[frame.is_at(cutoff)] = weight
    return ValueQuantiles.fitted(order_probability[known], expected_value[known], frame.value[known], weights[known])


def _near(place: Figures, knot: float, weights: Figures) -> Figures:
    """The weights of customers by how near their log odds are, over a width that enough of them lie within."""
    width = WIDTH
    while True:
        near = weights * np.exp(-0.5 * ((place - knot) / width) ** 2)
        if width > np.ptp(KNOTS) or float(near.sum()) ** 2 >= ENOUGH_RATIOS * max(float(near @ near), np.finfo(np.float64).tiny):
            return near
        width *= 1.5


def _spread(ratios: Figures, weights: Figures) -> Figures:
    """The weighted quantiles of ascending ratios at `RANKS`."""
    reached = np.cumsum(weights)
    return np.interp(RANKS, (reached - 0.5 * weights) / reached[-1], ratios)


def _factors(knot: float, spread: Figures) -> Figures:
    """The factor of each quantile for customers of such log odds, over the levels that are possible, shape (len(QUANTILES),)."""
    probabilities = [float(expit(knot + error)) for error in LEVEL_ERRORS]
    scales = [float(np.exp(error) * expit(knot) / probability) for error, probability in zip(LEVEL_ERRORS, probabilities, strict=True)]
    values = np.concatenate([[0.0], np.sort(np.outer(scales, spread).ravel())])
    above = np.mean(
        [
            probability * (1.0 - np.interp(values / scale, spread, RANKS, left=0.0, right=1.0))
            for probability, scale in zip(probabilities, scales, strict=True)
        ],
        axis=0,
    )
    result: Figures = np.array(
        [0.0 if above[0] <= 1.0 - level else np.interp(level - 1.0, -above, values) for level in QUANTILES], dtype=np.float64
    )
    return result
