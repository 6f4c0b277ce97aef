"""Gamma-Gamma: what an order of a customer is worth on average, beyond the few that were seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, psi

from models.buy_till_you_die.maximum_likelihood import Fit, Likelihood, maximise, remarks_on
from models.buy_till_you_die.parameter_set import ParameterSet
from models.prediction import Figures
from regulars.errors import InputError

CUSTOMERS_TO_FIT = 300_000
CUSTOMERS_TO_CHOOSE_START = 5_000


@dataclass(frozen=True)
class GammaGamma(ParameterSet):
    """Order values vary around a customer's mean by a gamma law of shape `p`; its rate varies over customers by one of `q` and `gamma`.

    `gamma` is an amount of money. `q` exceeds 1, so that the mean over all customers exists.

    R. Colombo and W. Jiang (1999), A Stochastic RFM Model, Journal of Interactive Marketing 13(3); P. Fader and B. Hardie
    (2013), The Gamma-Gamma Model of Monetary Value.
    """

    p: float
    q: float
    gamma: float

    unit_parameters: ClassVar[tuple[str, ...]] = ("gamma",)
    floors: ClassVar[Mapping[str, float]] = {"q": 1.0}

    @property
    def mean_spend(self) -> float:
        """Mean order value over all customers."""
        return self.p * self.gamma / (self.q - 1.0)

    def expected_mean_spend(self, average_order_value: ArrayLike, orders_count: ArrayLike) -> Figures:
        """The mean order value to expect of each customer, shape (n,): the seen mean, drawn to the shop's the fewer orders it is of.

        Args:
            average_order_value: mean of the orders seen; any number where there are none. Negative means count as 0.
            orders_count: orders that it is the mean of.
        """
        m, x = _broadcast(average_order_value, orders_count)
        spent = np.where(x > 0, np.maximum(m, 0.0), 0.0) * x
        result: Figures = self.p * (self.gamma + spent) / (self.p * x + self.q - 1.0)
        return result

    def log_likelihood(self, average_order_value: ArrayLike, orders_count: ArrayLike) -> Figures:
        """Log likelihood of each mean, shape (n,); of means above 0 over at least one order."""
        m, x = _broadcast(average_order_value, orders_count)
        shape = self.p * x
        result: Figures = (
            (gammaln(shape + self.q) - gammaln(shape) - gammaln(self.q))
            - self.q * np.log1p(x * m / self.gamma)
            - shape * np.log1p(self.gamma / (x * m))
            - np.log(m)
        )
        return result

    def total_log_likelihood(self, average_order_value: Figures, orders_count: Figures, weights: Figures) -> tuple[float, Figures]:
        """The log likelihood summed with the weights, and its derivatives by p, q and gamma, shape (3,)."""
        counts, place = np.unique(orders_count, return_inverse=True)
        per_count = np.bincount(place, weights, len(counts))
        spent = orders_count * average_order_value
        rest, share = np.log1p(self.gamma / spent), np.log1p(spent / self.gamma)
        shape = self.p * counts
        value = per_count @ (gammaln(shape + self.q) - gammaln(shape) - gammaln(self.q)) - weights @ (
            self.q * share + self.p * orders_count * rest + np.log(average_order_value)
        )
        gradient = np.array(
            [
                per_count @ (counts * (psi(shape + self.q) - psi(shape))) - weights @ (orders_count * rest),
                per_count @ (psi(shape + self.q) - psi(self.q)) - weights @ share,
                weights @ (self.q / self.gamma - (self.p * orders_count + self.q) / (self.gamma + spent)),
            ]
        )
        return float(value), gradient


def fit_gamma_gamma(
    average_order_value: ArrayLike, orders_count: ArrayLike, weights: ArrayLike | None = None, *, prior_deviation: float | None = None
) -> Fit[GammaGamma]:
    """Fit on customers with at least one order; those whose mean is not above 0 are left out, with a remark.

    A shop of more than `CUSTOMERS_TO_FIT` such customers is fitted on every k-th by mean order value. Whatever the data,
    the fit is finite: read `Fit.is_sound` before trusting it.

    Args:
        average_order_value: mean order value of each customer, shape (n,).
        orders_count: orders that it is the mean of, shape (n,).
        weights: customers that each row stands for, shape (n,).
        prior_deviation: see `maximise`; 2 steadies a small shop.
    """
    m, x = _broadcast(average_order_value, orders_count)
    weight = np.broadcast_to(np.asarray(1.0 if weights is None else weights, dtype=np.float64), m.shape)
    if not (np.isfinite(m) & np.isfinite(x) & np.isfinite(weight)).all() or (x < 0).any() or (weight < 0).any():
        raise InputError("order values and their counts must be finite, counts and weights not negative")
    remarks = []
    counts = x > 0
    usable = counts & (m > 0) & (weight > 0)
    left_out = float(weight[counts & (m <= 0)].sum())
    if left_out > 0.05 * float(weight[counts].sum()):
        remarks.append(f"{left_out:.0f} customers whose mean order value is not above 0 are left out")
    m, x, weight = m[usable], x[usable], weight[usable]
    order = np.argsort(m, kind="stable")[:: max(-(-len(m) // CUSTOMERS_TO_FIT), 1)]
    m, x, weight = m[order], x[order], weight[order]
    starts = [GammaGamma(5.0, 4.0, 0.6), GammaGamma(1.0, 2.5, 1.5), GammaGamma(20.0, 10.0, 0.4)]
    if len(m) == 0:
        return Fit(starts[0], 0.0, dict.fromkeys(GammaGamma.names(), np.inf), 0.0, 0, False, ("no customer has an order value above 0",))
    if len(m) == 1 or m[0] == m[-1]:
        remarks.append("all mean order values are the same")
    if x.max() <= 1:
        remarks.append("no customer has two orders: what varies within a customer cannot be told from what varies between them")
    unit = float(weight @ m / weight.sum())
    scaled = m / unit

    def likelihood(step: int) -> Likelihood[GammaGamma]:
        rows = slice(None, None, step)
        part = scaled[rows], x[rows], weight[rows]
        return Likelihood(lambda model: model.total_log_likelihood(*part), float(weight[rows].sum()))

    step = max(len(m) // CUSTOMERS_TO_CHOOSE_START, 1)
    model, has_converged, errors, at_bound = maximise(starts, likelihood(step), likelihood(1), prior_deviation)
    remarks += remarks_on(at_bound, has_converged)
    model = model.in_unit(1.0 / unit)
    total = float(weight @ model.log_likelihood(m, x))
    named = dict(zip(GammaGamma.names(), (errors * [1.0, 1.0, unit]).tolist(), strict=True))
    return Fit(model, total, named, float(weight.sum()), len(m), has_converged, tuple(remarks))


def _broadcast(average_order_value: ArrayLike, orders_count: ArrayLike) -> tuple[Figures, Figures]:
    m, x = np.broadcast_arrays(*(np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in (average_order_value, orders_count)))
    return m, x
