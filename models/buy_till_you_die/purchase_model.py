"""What every buy-till-you-die model of purchases offers, whatever it assumes of dropping out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.buy_till_you_die.order_histories import OrderHistories
from models.buy_till_you_die.parameter_set import ParameterSet
from models.prediction import Figures

NEVER = np.inf
"""The time of a next order that does not come."""


@dataclass(frozen=True)
class SimulatedCustomers:
    """Customers drawn from a model, each of shape (n,).

    Attributes:
        histories: what was seen of them up to their age.
        is_alive: whether they could still order then.
        orders_in_horizon: their orders in the horizon after it.
        time_to_next_order: from their age to the next order, however late; NEVER for those that dropped out before it.
    """

    histories: OrderHistories
    is_alive: NDArray[np.bool_]
    orders_in_horizon: NDArray[np.int64]
    time_to_next_order: Figures


@dataclass(frozen=True)
class PurchaseModel(ParameterSet, ABC):
    """A fitted model. Its times are in the unit of the histories that it was fitted on.

    While alive, a customer orders at random, at a rate that is gamma distributed over customers with shape `r` and rate
    parameter `alpha`, a time; how customers drop out is what tells the models apart.
    """

    r: float
    alpha: float

    unit_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    customers_to_fit: ClassVar[int] = 1_000_000
    """A shop of more is fitted on a systematic sample of so many: the estimates are sharp enough."""

    @classmethod
    @abstractmethod
    def starts(cls) -> list[Self]:
        """Where a fit starts, the first the most usual shop, for times in multiples of the mean age."""

    @abstractmethod
    def log_likelihood(self, histories: OrderHistories) -> Figures:
        """Log likelihood of each history, shape (n,), weights not applied: of the order times' density, so it depends on the unit."""

    @abstractmethod
    def total_log_likelihood(self, histories: OrderHistories) -> tuple[float, Figures]:
        """The log likelihood summed with the weights, and its derivatives by the parameters, shape (parameters,)."""

    @abstractmethod
    def log_odds_of_dropout(self, histories: OrderHistories) -> Figures:
        """Logarithm of P(dropped out by `age`) / P(alive), shape (n,); −inf where nobody can have dropped out yet."""

    @abstractmethod
    def expected_orders_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        """Expected orders in (age, age + horizon] of those who are alive at `age`, shape (n,)."""

    @abstractmethod
    def probability_of_order_if_alive(self, histories: OrderHistories, horizon: Figures) -> Figures:
        """Probability of an order in (age, age + horizon] of those who are alive at `age`, shape (n,)."""

    @abstractmethod
    def time_to_next_order_if_alive(self, histories: OrderHistories, probability: Figures) -> Figures:
        """The inverse of `probability_of_order_if_alive` in the horizon, shape (n,), probabilities from 0 to below 1."""

    @abstractmethod
    def sample(self, age: ArrayLike, horizon: float, generator: np.random.Generator) -> SimulatedCustomers:
        """One random customer for each age."""

    def probability_alive(self, histories: OrderHistories) -> Figures:
        """Probability of being able to order again at `age`, shape (n,)."""
        alive: Figures = expit(-self.log_odds_of_dropout(histories))
        return alive

    def expected_orders(self, histories: OrderHistories, horizon: ArrayLike) -> Figures:
        """Expected orders in (age, age + horizon], shape (n,). One horizon for all, or one each."""
        return self.probability_alive(histories) * self.expected_orders_if_alive(histories, for_each(horizon, histories))

    def probability_of_order(self, histories: OrderHistories, horizon: ArrayLike) -> Figures:
        """Probability that the next order comes within the horizon, shape (n,): the distribution function of its time."""
        return self.probability_alive(histories) * self.probability_of_order_if_alive(histories, for_each(horizon, histories))

    def probability_of_no_order(self, histories: OrderHistories, horizon: ArrayLike) -> Figures:
        """Probability of no order in (age, age + horizon], shape (n,): dropped out, or alive and silent."""
        return 1.0 - self.probability_of_order(histories, horizon)

    def time_to_next_order(self, histories: OrderHistories, probability: ArrayLike) -> Figures:
        """The time after `age` by which the next order has come with the given probability, shape (n,): a quantile of its date.

        NEVER where an order at any time is less probable than that.
        """
        alive, wanted = self.probability_alive(histories), for_each(probability, histories)
        is_possible = wanted < alive
        if_alive = np.divide(wanted, alive, out=np.zeros(len(histories)), where=is_possible)
        return np.where(is_possible, self.time_to_next_order_if_alive(histories, if_alive), NEVER)


def for_each(values: ArrayLike, histories: OrderHistories) -> Figures:
    """A value for each row, from one for all or one each."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(histories),))
