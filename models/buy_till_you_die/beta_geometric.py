"""What BG/NBD and MBG/NBD share: after an order a customer drops out with a probability that is beta distributed over customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, psi

from models.buy_till_you_die.order_histories import OrderHistories
from models.buy_till_you_die.purchase_model import NEVER, PurchaseModel, SimulatedCustomers
from models.buy_till_you_die.quadrature import mean_orders_until_dropout
from models.prediction import Figures


@dataclass(frozen=True)
class BetaGeometric(PurchaseModel):
    """A customer's dropout probability is beta distributed with `a` and `b`.

    Of one with rate λ and dropout probability p, a history with k chances to drop out has the likelihood
    λ^x e^(−λT) (1 − p)^k + λ^x e^(−λt_x) p (1 − p)^(k − 1): alive, or gone with the last order. The models differ in k alone.
    """

    a: float
    b: float

    first_order_is_chance: ClassVar[int]
    """1 where a customer can drop out right after the first order, else 0."""

    @classmethod
    def starts(cls) -> list[Self]:
        return [cls(0.5, 0.5, 0.8, 2.5), cls(1.0, 0.3, 0.2, 1.0), cls(0.2, 0.2, 1.5, 1.5), cls(3.0, 1.0, 0.5, 10.0)]

    def _chances(self, repeats: Figures) -> Figures:
        return repeats + self.first_order_is_chance

    def log_likelihood(self, histories: OrderHistories) -> Figures:
        counts, place = histories.distinct_counts
        chances = self._chances(counts)
        by_count = (
            (gammaln(self.r + counts) - gammaln(self.r))
            + (gammaln(self.b + chances) - gammaln(self.b))
            - (gammaln(self.a + self.b + chances) - gammaln(self.a + self.b))
        )
        silence = -self.r * np.log1p(histories.age / self.alpha) - histories.repeat_order_days_count * np.log(self.alpha + histories.age)
        result: Figures = by_count[place] + silence + np.logaddexp(0.0, self.log_odds_of_dropout(histories))
        return result

    def total_log_likelihood(self, histories: OrderHistories) -> tuple[float, Figures]:
        counts, place = histories.distinct_counts
        chances = self._chances(counts)
        weights = histories.weights
        per_count = np.bincount(place, weights, len(counts))
        gone = expit(self.log_odds_of_dropout(histories))
        gone_per_count = np.bincount(place, weights * gone, len(counts))
        now, then = self.alpha + histories.age, self.alpha + histories.active_span
        shape = self.r + histories.repeat_order_days_count
        can_drop = chances > 0
        gradient = np.array(
            [
                per_count @ (psi(self.r + counts) - psi(self.r)) + weights @ (gone * np.log(now / then) - np.log(now / self.alpha)),
                weights @ (self.r / self.alpha - shape / now + gone * shape * (1.0 / now - 1.0 / then)),
                per_count @ (psi(self.a + self.b) - psi(self.a + self.b + chances)) + gone_per_count.sum() / self.a,
                per_count @ (psi(self.b + chances) - psi(self.b) + psi(self.a + self.b) - psi(self.a + self.b + chances))
                - (gone_per_count[can_drop] / (self.b + chances[can_drop] - 1.0)).sum(),
            ]
        )
        return float(weights @ self.log_likelihood(histories)), gradient

    def log_odds_of_dropout(self, histories: OrderHistories) -> Figures:
        chances = self._chances(histories.repeat_order_days_count)
        can_drop = chances > 0
        shape = self.r + histories.repeat_order_days_count
        silence = np.log((self.alpha + histories.age) / (self.alpha + histories.active_span))
        by_chance = np.log(self.a) - np.log(np.where(can_drop, self.b + chances - 1.0, 1.0))
        return np.where(can_drop, by_chance + shape * silence, -np.inf)

    def expected_orders_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        counts, place = histories.distinct_counts
        # The time of the last order plays no part, and whole days make many rows equal.
        order = np.lexsort((histories.age, place))
        is_new = np.ones(len(order), dtype=np.bool_)
        is_new[1:] = (np.diff(place[order]) != 0) | (np.diff(histories.age[order]) != 0) | (np.diff(horizon[order]) != 0)
        group = np.empty(len(order), dtype=np.intp)
        group[order] = np.cumsum(is_new) - 1
        one = order[is_new]
        orders = mean_orders_until_dropout(
            self.a,
            self.b + self._chances(counts),
            self.r + counts[place[one]],
            horizon[one] / (self.alpha + histories.age[one]),
            place[one],
        )
        return orders[group]

    def probability_of_order_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        shape = self.r + histories.repeat_order_days_count
        result: Figures = -np.expm1(-shape * np.log1p(horizon / (self.alpha + histories.age)))
        return result

    def time_to_next_order_if_alive(self, histories: OrderHistories, probability: Figures) -> Figures:
        exponent = -np.log1p(-probability) / (self.r + histories.repeat_order_days_count)
        is_finite = exponent < 700.0
        times: Figures = (self.alpha + histories.age) * np.expm1(np.where(is_finite, exponent, 0.0))
        return np.where(is_finite, times, NEVER)

    def sample(self, age: ArrayLike, horizon: float, generator: np.random.Generator) -> SimulatedCustomers:
        ages = np.atleast_1d(np.asarray(age, dtype=np.float64))
        mean_gap = 1.0 / np.maximum(generator.gamma(self.r, 1.0 / self.alpha, len(ages)), 1e-300)
        dropout = generator.beta(self.a, self.b, len(ages))
        stays = (generator.random(len(ages)) >= dropout) | (self.first_order_is_chance == 0)
        following = np.where(stays, generator.exponential(mean_gap), NEVER)

        def advance(until: Figures, latest: Figures) -> Figures:
            """Let orders come until a time; their counts. Changes `following` and `latest` in place."""
            orders = np.zeros(len(ages))
            while len(active := np.flatnonzero(following <= until)):
                orders[active] += 1
                latest[active] = following[active]
                stays = generator.random(len(active)) >= dropout[active]
                following[active] = np.where(stays, following[active] + generator.exponential(mean_gap[active]), NEVER)
            return orders

        span = np.zeros(len(ages))
        repeats = advance(ages, span)
        to_next = following - ages
        orders = advance(ages + horizon, span.copy())
        histories = OrderHistories.of(repeats, span, ages)
        return SimulatedCustomers(histories, np.isfinite(to_next), orders.astype(np.int64), to_next)
