"""Shops that no textbook has: too young, too small, too even, too large, or with nothing in them that counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

AS_OF = date(2024, 6, 1)
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Shop:
    """Orders, and what is to be said of them.

    Attributes:
        orders: (customer, days before AS_OF, amount).
        scored_by: the rung that must score.
        why: words that must stand in the reason.
        churn: lowest and highest mean churn probability that is honest, by what the shop's law says of the next 90 days.
        value: the same for the mean expected value.
        customers: customers to be scored.
        refunded, cancelled: whether all orders were, on the day after.
        settings: of config/prediction.yml, where they are not the defaults.
        training: of its part `training`.
    """

    name: str
    orders: Sequence[tuple[int, float, float]]
    scored_by: str
    why: str
    customers: int
    churn: tuple[float, float] = (0.0, 1.0)
    value: tuple[float, float] = (0.0, 1e15)
    refunded: bool = False
    cancelled: bool = False
    currency: str = "EUR"
    churn_days: int = 90
    value_days: int = 365
    min_customers: int = 500

    def landed_orders(self) -> Rows:
        return [
            _landed(f"o{number}", days) | {
                "order_id": f"o{number}",
                "account_id": f"c{customer}",
                "ordered_at": moment(days),
                "cancelled_at": moment(days - 1) if self.cancelled else None,
                "net_revenue": amount,
                "currency": self.currency,
            }
            for number, (customer, days, amount) in enumerate(self.orders)
        ]  # fmt: skip

    def landed_refunds(self) -> Rows:
        return [
            _landed(f"r{number}", days - 1) | {
                "refund_id": f"r{number}",
                "order_id": f"o{number}",
                "account_id": f"c{customer}",
                "amount": amount,
                "refunded_at": moment(days - 1),
                "currency": self.currency,
            }
            for number, (customer, days, amount) in enumerate(self.orders)
            if self.refunded
        ]  # fmt: skip


def moment(days: float) -> datetime:
    return datetime.combine(AS_OF, time()) - timedelta(days=days)


def _landed(key: str, days: float) -> dict[str, Any]:
    return {
        "source": "shop",
        "record_key": key,
        "content_hash": "h",
        "event_at": moment(days),
        "known_at": moment(days),
        "is_known_at_assumed": True,
        "run_id": "r",
    }


def _steady(customers: int, gap: float, since: float, until: float = 1.0, amount: float = 50.0, seed: int = 1) -> list[Any]:
    """Customers who order at random, about every `gap` days."""
    rng = np.random.default_rng(seed)
    return [
        (customer, float(day), round(amount * float(rng.lognormal(0.0, 0.3)), 2))
        for customer in range(customers)
        for day in np.sort(rng.uniform(until, since, max(1, rng.poisson((since - until) / gap))))[::-1]
    ]


def _each(customers: int, days: Sequence[float], amount: float = 50.0) -> list[Any]:
    """Customers who all ordered on the same days."""
    return [(customer, day, amount) for customer in range(customers) for day in days]


def _returning(customers: int, share: float, since: float, amount: float = 50.0, seed: int = 2) -> list[Any]:
    """Customers who come once, and a share of them again, within 60 days."""
    rng = np.random.default_rng(seed)
    orders: list[Any] = []
    for customer in range(customers):
        first = float(rng.uniform(2.0, since))
        orders.append((customer, first, amount))
        if rng.random() < share:
            orders.append((customer, max(0.5, first - float(rng.uniform(2.0, 60.0))), amount))
    return orders


def shops() -> Iterator[Shop]:
    nobody = "0 customers, none of them ordered on a second day"
    yield Shop("no order", [], "rules", nobody, 0)
    yield Shop("one order", [(1, 40, 50.0)], "rules", "1 customers, none of them", 1, (0.7, 0.95), (0.0, 50.0))
    yield Shop("one customer", [(1, 30 * n + 5, 50.0) for n in range(6)], "rules", "1 customers, 1 of them", 1, (0.1, 0.9))
    yield Shop("two customers", [(1, 5, 20.0), (2, 90, 30.0), (2, 10, 30.0)], "rules", "2 customers, 1 of them", 2, (0.3, 0.9))
    rng = np.random.default_rng(3)
    once = [(customer, float(day), 50.0) for customer, day in enumerate(rng.uniform(1, 700, 300))]
    yield Shop("everyone once", once, "rules", "300 customers, none of them ordered on a second day", 300, (0.99, 1.0), (0.0, 2.0))
    yield Shop("all refunded", _steady(40, 60, 400), "rules", nobody, 0, refunded=True)
    yield Shop("all cancelled", _steady(40, 60, 400), "rules", nobody, 0, cancelled=True)
    yield Shop("one day of history", [(n, 0.5, 50.0) for n in range(50)], "rules", "50 customers, none", 50, (0.6, 0.95))
    yield Shop("all on the same day", _each(60, [100]), "rules", "60 customers, none", 60, (0.95, 1.0))
    yield Shop("amounts of a trillion", _steady(80, 60, 500, amount=1e12), "buy_till_you_die", "500", 80, (0.1, 0.4), (3e12, 9e12))
    yield Shop("amounts of a cent", _each(80, [400, 300, 200, 100, 20], 0.01), "buy_till_you_die", "500", 80, (0.0, 0.7), (0.01, 0.08))
    yield Shop("negative totals", _each(80, [400, 300, 200, 100, 20], -20.0), "buy_till_you_die", "500", 80, value=(0.0, 1e-4))
    yield Shop("zero-value orders only", _each(80, [400, 300, 200, 100, 20], 0.0), "buy_till_you_die", "500", 80, value=(0.0, 1e-4))
    yield Shop("thirty customers", _steady(30, 60, 400), "formula", "30 customers, 30 of them", 30, (0.1, 0.6))
    yield Shop("none has churned", _steady(100, 15, 500), "buy_till_you_die", "500", 100, (0.0, 0.1))
    yield Shop("all have churned", _steady(100, 40, 800, until=400), "buy_till_you_die", "500", 100, (0.9, 1.0))
    closed = [(customer, day + 1100, amount) for customer, day, amount in _returning(150, 0.5, 400)]
    yield Shop("closed for three years", closed, "buy_till_you_die", "500", 150, (0.97, 1.0), (0.0, 5.0))
    much = [(0, 0.05 + n * 0.05, 20.0) for n in range(10_000)]
    yield Shop("ten thousand orders of one", much + [(n, 40.0 * n + 2, 50.0) for n in range(1, 13)], "rules", "13 customers, 1", 13)
    giant = [(customer, day, amount * (100_000 if customer == 0 else 1)) for customer, day, amount in _steady(150, 90, 700)]
    yield Shop("one giant customer", giant, "buy_till_you_die", "the blend not promoted", 150, (0.2, 0.6), min_customers=100)
    pause = [*_steady(80, 40, 1000, 800), *_steady(80, 40, 60, seed=5)]
    yield Shop("a pause of two years", pause, "formula", "buy-till-you-die not promoted: log loss", 80)
    yield Shop("only in the future", [(n, -5.0 - n, 50.0) for n in range(60)], "rules", nobody, 0)
    growing = [
        (1000 * month + customer, day + 30 * (2 - month), amount)
        for month, newcomers in enumerate((5, 50, 500))
        for customer, day, amount in _returning(newcomers, 0.2, 30, seed=month)
    ]
    yield Shop("ten times as many each month", growing, "formula", "need 112 days of orders", 555)
    yield Shop("yen", _steady(80, 60, 500, amount=12_000), "buy_till_you_die", "500", 80, (0.1, 0.4), (3e4, 1.2e5), currency="JPY")
    weekly = _each(80, [7.0 * week + 1 for week in range(52)])
    yield Shop("weekly subscribers", weekly, "buy_till_you_die", "500", 80, (0.0, 0.05), (1500.0, 3500.0))
    yield Shop("ten years between two orders", _each(60, [3700, 30]), "formula", "buy-till-you-die not promoted: log loss", 60)
    yield Shop("all alike", _each(100, [300, 200, 100]), "formula", "buy-till-you-die not promoted: log loss", 100)
    yield Shop("horizons longer than the history", _returning(120, 0.6, 90), "formula", "112", 120, churn_days=730, value_days=1095)
