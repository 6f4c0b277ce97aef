"""Pareto/NBD: a customer can drop out at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, psi

from models.buy_till_you_die.order_histories import OrderHistories
from models.buy_till_you_die.purchase_model import NEVER, PurchaseModel, SimulatedCustomers
from models.buy_till_you_die.quadrature import decay_integral, log_decay_integral
from models.prediction import Figures

LONGEST = 1e12
"""A next order later than so many times the history is NEVER."""

PRECISION = 1e-10
"""Of the probability that a quantile is of."""


@dataclass(frozen=True)
class ParetoNbd(PurchaseModel):
    """A customer's dropout rate is gamma distributed with shape `s` and rate parameter `beta`, a time.

    D. Schmittlein, D. Morrison and R. Colombo (1987), Counting Your Customers: Who Are They and What Will They Do Next?,
    Management Science 33(1). The likelihood's hypergeometric functions are the integral over the moment of dropping out.
    """

    s: float
    beta: float

    unit_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    customers_to_fit: ClassVar[int] = 100_000

    @classmethod
    def starts(cls) -> list[Self]:
        return [cls(0.5, 0.5, 0.6, 0.6), cls(1.0, 0.3, 0.3, 1.0), cls(0.2, 0.2, 1.0, 0.3), cls(3.0, 1.0, 1.0, 5.0)]

    def log_likelihood(self, histories: OrderHistories) -> Figures:
        return self._log_likelihood(histories, self.log_odds_of_dropout(histories))

    def total_log_likelihood(self, histories: OrderHistories) -> tuple[float, Figures]:
        counts, place = histories.distinct_counts
        weights, x = histories.weights, histories.repeat_order_days_count
        dropout = decay_integral(*self._moment_of_dropout(histories))
        log_odds = self._log_odds(histories, dropout.log_value)
        gone = expit(log_odds)
        alive = 1.0 - gone
        now_a, now_b = self.alpha + histories.age, self.beta + histories.age
        span_a, span_b = np.log1p(histories.active_span / self.alpha), np.log1p(histories.active_span / self.beta)
        gradient = np.array(
            [
                np.bincount(place, weights, len(counts)) @ (psi(self.r + counts) - psi(self.r))
                - weights @ (alive * np.log(now_a / self.alpha) + gone * (span_a + dropout.mean_log_a)),
                weights @ (self.r / self.alpha - (self.r + x) * (alive / now_a + gone * dropout.mean_inverse_a)),
                weights @ (gone / self.s - alive * np.log(now_b / self.beta) - gone * (span_b + dropout.mean_log_b)),
                weights @ (self.s / self.beta - self.s * alive / now_b - (self.s + 1.0) * gone * dropout.mean_inverse_b),
            ]
        )
        return float(weights @ self._log_likelihood(histories, log_odds)), gradient

    def log_odds_of_dropout(self, histories: OrderHistories) -> Figures:
        return self._log_odds(histories, log_decay_integral(*self._moment_of_dropout(histories)))

    def expected_orders_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        rate = (self.r + histories.repeat_order_days_count) / (self.alpha + histories.age)
        scale = self.beta + histories.age
        stretch = np.log1p(horizon / scale)
        # (1 − e^(−(s − 1) stretch)) / (s − 1), which is the stretch itself at s = 1
        excess = (self.s - 1.0) * stretch
        is_small = np.abs(excess) < 1e-8
        mean = np.where(is_small, 1.0 - 0.5 * excess, -np.expm1(-excess) / np.where(is_small, 1.0, excess))
        result: Figures = rate * scale * stretch * mean
        return result

    def probability_of_order_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        shape = self.r + histories.repeat_order_days_count
        rate, dropout_shape = self.alpha + histories.age, np.full(len(histories), self.s)
        log_integral = log_decay_integral(rate, shape + 1.0, self.beta + histories.age, dropout_shape, horizon)
        result: Figures = np.minimum(shape / rate * np.exp(log_integral), 1.0)
        return result

    def time_to_next_order_if_alive(self, histories: OrderHistories, probability: Figures) -> Figures:
        """By Newton's steps in the logarithm of the time, halving the bracket where a step would leave it."""
        shape, scale = self.r + histories.repeat_order_days_count, self.alpha + histories.age
        low, high = np.zeros(len(histories)), np.full(len(histories), np.log(LONGEST))
        is_open = self.probability_of_order_if_alive(histories, scale * np.expm1(high)) >= probability
        result = np.where(is_open, 0.0, NEVER)
        rows = np.flatnonzero(is_open & (probability > 0))
        # Without dropping out it would come earlier.
        at = np.minimum(-np.log1p(-probability) / shape, high)[rows]
        low, high = low[rows], high[rows]
        for _ in range(60):
            part, wanted = histories.where(rows), probability[rows]
            time = scale[rows] * np.expm1(at)
            reached = self.probability_of_order_if_alive(part, time)
            result[rows] = time
            slope = shape[rows] * np.exp(-shape[rows] * at - self.s * np.log1p(time / (self.beta + part.age)))
            low, high = np.where(reached < wanted, at, low), np.where(reached < wanted, high, at)
            step = at + np.divide(wanted - reached, slope, out=np.full(len(rows), np.inf), where=slope > 0)
            at = np.where((step > low) & (step < high), step, 0.5 * (low + high))
            remain = (np.abs(reached - wanted) > PRECISION) & (high - low > 1e-14 * high)
            if not remain.any():
                break
            rows, at, low, high = rows[remain], at[remain], low[remain], high[remain]
        return result

    def sample(self, age: ArrayLike, horizon: float, generator: np.random.Generator) -> SimulatedCustomers:
        ages = np.atleast_1d(np.asarray(age, dtype=np.float64))
        rate = generator.gamma(self.r, 1.0 / self.alpha, len(ages))
        dropout = generator.exponential(1.0 / np.maximum(generator.gamma(self.s, 1.0 / self.beta, len(ages)), 1e-300))
        active = np.minimum(dropout, ages)
        repeats = generator.poisson(rate * active)
        # the last of n uniform moments
        span = active * np.where(repeats > 0, generator.random(len(ages)) ** (1.0 / np.maximum(repeats, 1)), 0.0)
        to_next = generator.exponential(1.0 / np.maximum(rate, 1e-300))
        left = np.maximum(dropout - ages, 0.0)
        comes = to_next <= left
        is_within = comes & (to_next <= horizon)
        later = generator.poisson(np.where(is_within, rate * np.maximum(np.minimum(left, horizon) - to_next, 0.0), 0.0))
        histories = OrderHistories.of(repeats, span, ages)
        return SimulatedCustomers(histories, dropout > ages, is_within + later, np.where(comes, to_next, NEVER))

    def _log_likelihood(self, histories: OrderHistories, log_odds: Figures) -> Figures:
        counts, place = histories.distinct_counts
        by_count = gammaln(self.r + counts) - gammaln(self.r)
        silence = -self.r * np.log1p(histories.age / self.alpha) - histories.repeat_order_days_count * np.log(self.alpha + histories.age)
        survival = -self.s * np.log1p(histories.age / self.beta)
        result: Figures = by_count[place] + silence + survival + np.logaddexp(0.0, log_odds)
        return result

    def _moment_of_dropout(self, histories: OrderHistories) -> tuple[Figures, Figures, Figures, Figures, Figures]:
        """What the integral over the moment of dropping out is of, from the last order to `age`."""
        return (
            self.alpha + histories.active_span,
            self.r + histories.repeat_order_days_count,
            self.beta + histories.active_span,
            np.full(len(histories), self.s + 1.0),
            histories.age - histories.active_span,
        )

    def _log_odds(self, histories: OrderHistories, log_integral: Figures) -> Figures:
        since_a = np.log((self.alpha + histories.age) / (self.alpha + histories.active_span))
        since_b = np.log((self.beta + histories.age) / (self.beta + histories.active_span))
        result: Figures = (
            np.log(self.s)
            - np.log(self.beta + histories.active_span)
            + log_integral
            + (self.r + histories.repeat_order_days_count) * since_a
            + self.s * since_b
        )
        return result
