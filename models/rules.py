"""The lowest rung: what can be said of customers of whom hardly anyone has ordered twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.feature_matrix import Rows, numbers
from models.ladder import Rung
from models.prediction import LARGEST_AMOUNT, NEXT_ORDER_SHARES, Figures, Prediction

PRIOR_ORDERS = 1.0
PRIOR_SILENCE = 2.0
"""Before anything is seen: of new customers 29 % order again within the churn horizon, as in a usual shop. Felt in a shop of a
few customers and not in one of a hundred."""


@dataclass(frozen=True)
class Rules:
    """The longer the silence, the rarer an order: after s days of it they come at the rate `pace` / (h + s), h the churn horizon.

    `pace` is the shop's own share: repeat orders so far, over the silence of all its customers so far, each day of it counted
    as 1 / (h + s). The chance of no order in the next H days follows: ((h + s) / (h + s + H)) ^ pace.
    """

    churn_horizon_days: int
    value_horizon_days: int
    pace: float

    rung: ClassVar[Rung] = "rules"
    columns: ClassVar[tuple[str, ...]] = ("repeat_order_days_count", "active_span_days", "days_since_last_order")

    @classmethod
    def fitted(cls, rows: Rows, churn_horizon_days: int, value_horizon_days: int) -> Rules:
        """By what the customers of one date have done so far; on none it is a usual shop."""
        repeats, span, silence = (_at_least_zero(rows, name) for name in cls.columns)
        gap = np.divide(span, repeats, out=np.zeros_like(span), where=repeats > 0)
        seen = repeats * np.log1p(gap / churn_horizon_days) + np.log1p(silence / churn_horizon_days)
        pace = (float(repeats.sum()) + PRIOR_ORDERS) / (float(seen.sum()) + PRIOR_SILENCE)
        return cls(churn_horizon_days, value_horizon_days, pace)

    def predict(self, rows: Rows) -> Prediction:
        """Orders are worth what the customer's were worth on average."""
        worth = _at_least_zero(rows, "average_order_value")
        since = self.churn_horizon_days + _at_least_zero(rows, "days_since_last_order")
        churn_days, value_days = self.churn_horizon_days, self.value_horizon_days
        churn, silent = self._no_order(since, churn_days), self._no_order(since, value_days)
        orders, later = self._orders(since, value_days), np.zeros(len(since))
        if value_days > churn_days:
            later = self._orders(since + churn_days, value_days - churn_days)
        # The earlier an order comes, the more of the expected ones are over: those after a silence are what silence leaves.
        ordered = np.divide(orders - churn * later, 1.0 - churn, out=np.ones_like(churn), where=churn < 1)
        within = 1.0 - silent
        return Prediction.of(
            churn,
            worth * np.maximum(ordered, later),
            worth * later,
            expected_orders=orders,
            order_probability=within,
            days_to_order=np.stack([since * np.expm1(-np.log1p(-share * within) / self.pace) for share in NEXT_ORDER_SHARES]),
            value_days=value_days,
        )

    def _no_order(self, since: Figures, days: int) -> Figures:
        silent: Figures = np.exp(-self._orders(since, days))
        return silent

    def _orders(self, since: Figures, days: int) -> Figures:
        """Expected orders within so many days."""
        orders: Figures = self.pace * np.log1p(days / since)
        return orders


def _at_least_zero(rows: Rows, name: str) -> Figures:
    return np.clip(np.nan_to_num(numbers(rows.column(name)), posinf=LARGEST_AMOUNT), 0.0, LARGEST_AMOUNT)
