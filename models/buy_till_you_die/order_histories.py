"""What a buy-till-you-die model knows of customers: how often they came again, until when, and since when they are customers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.prediction import Figures
from regulars.errors import InputError


@dataclass(frozen=True, eq=False)
class OrderHistories:
    """Histories of n customers, or of n groups of customers with the same history.

    All times are in one unit, such as days or weeks, counted from the first order; a model speaks in the unit that it was
    fitted in.

    Attributes:
        repeat_order_days_count: orders after the first, several within a unit counted once (x), shape (n,).
        active_span: time from the first to the last order (t_x), shape (n,), 0 for customers who never came again.
        age: time from the first order to as_of (T), shape (n,).
        weights: customers that each row stands for, shape (n,).
    """

    repeat_order_days_count: Figures
    active_span: Figures
    age: Figures
    weights: Figures

    @classmethod
    def of(
        cls, repeat_order_days_count: ArrayLike, active_span: ArrayLike, age: ArrayLike, weights: ArrayLike | None = None
    ) -> OrderHistories:
        """Checked histories; scalars are broadcast.

        Raises:
            InputError: a history that no customer can have, such as a last order after as_of.
        """
        given = (repeat_order_days_count, active_span, age, 1.0 if weights is None else weights)
        try:
            arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in given))
        except ValueError as error:
            raise InputError(f"the parts of order histories differ in length: {error}") from None
        x, span, age_, weight = (np.ascontiguousarray(values) for values in arrays)
        rules: tuple[tuple[str, NDArray[np.bool_]], ...] = (
            ("finite numbers", np.isfinite(x) & np.isfinite(span) & np.isfinite(age_) & np.isfinite(weight)),
            ("repeat_order_days_count >= 0", x >= 0),
            ("0 <= active_span <= age", (span >= 0) & (span <= age_)),
            ("active_span = 0 exactly where repeat_order_days_count = 0", (span == 0) == (x == 0)),
            ("weights >= 0", weight >= 0),
        )
        for rule, holds in rules:
            if not holds.all():
                raise InputError(f"{np.count_nonzero(~holds)} of {len(x)} order histories cannot be: expected {rule}")
        return cls(x, span, age_, weight)

    def __len__(self) -> int:
        return len(self.age)

    @property
    def customers_count(self) -> float:
        return float(self.weights.sum())

    @cached_property
    def distinct_counts(self) -> tuple[Figures, NDArray[np.intp]]:
        """The distinct repeat_order_days_count, ascending, and the position of each row's among them: gamma functions are dear."""
        return np.unique(self.repeat_order_days_count, return_inverse=True)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> OrderHistories:
        return OrderHistories(self.repeat_order_days_count[chosen], self.active_span[chosen], self.age[chosen], self.weights[chosen])

    def in_unit(self, unit: float) -> OrderHistories:
        """The same histories with times counted in multiples of `unit`."""
        return OrderHistories(self.repeat_order_days_count, self.active_span / unit, self.age / unit, self.weights)

    def grouped(self) -> OrderHistories:
        """One row for each distinct history, weights added: a shop of millions has far fewer."""
        order = np.lexsort((self.active_span, self.repeat_order_days_count, self.age))
        sorted_ = self.where(order)
        is_new = np.ones(len(self), dtype=np.bool_)
        is_new[1:] = (np.diff(sorted_.age) != 0) | (np.diff(sorted_.repeat_order_days_count) != 0) | (np.diff(sorted_.active_span) != 0)
        first = np.flatnonzero(is_new)
        groups = sorted_.where(first)
        weights = np.add.reduceat(sorted_.weights, first) if len(first) else groups.weights
        return OrderHistories(groups.repeat_order_days_count, groups.active_span, groups.age, weights)

    def sampled(self, customers: int) -> OrderHistories:
        """A systematic sample of so many customers, every k-th by age, count and span, the same on every run, each of weight 1.

        Each row is taken as often as its weight has it; of no more customers than that, the histories as they are.
        """
        if self.customers_count <= customers:
            return self
        order = np.lexsort((self.active_span, self.repeat_order_days_count, self.age))
        reached = np.cumsum(self.weights[order])
        step = reached[-1] / customers
        taken = order[np.searchsorted(reached, (np.arange(customers) + 0.5) * step)]
        sample = self.where(taken)
        return OrderHistories(sample.repeat_order_days_count, sample.active_span, sample.age, np.ones(customers))
