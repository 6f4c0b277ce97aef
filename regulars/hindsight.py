"""Hindsight: what was said on a past night beside what has happened since, as far as a later night knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Any, Literal

from regulars.tables import CUSTOMER_SCORES, NIGHTS
from regulars.warehouse import Warehouse

Target = Literal["churn", "value"]
COLUMNS: dict[Target, str] = {"churn": "churn_probability", "value": "expected_value"}
IS_BEYOND = "hindsight_is_beyond"
"""Statistic of these columns in quality.profiles: 1 where a night found what was said off by more than its limit, beyond chance."""

ORDERS = "intermediate.int_as_of_orders"
"""dbt's orders that count on an as_of, refunds subtracted; it keeps the as_of dates of the latest build only."""
PERSONS = "intermediate.int_account_persons"
EPOCH = date(1970, 1, 1)
CONFIDENCE = 1.96


@dataclass(frozen=True)
class JudgedNight:
    """A past night, and the horizon of what was said on it, which has passed."""

    target: Target
    as_of: date
    days: int
    model_version: str
    scored_by: str


@dataclass(frozen=True)
class Outcome:
    """What was said of some customers, and what happened: customers who order, or money.

    `deviation` is by how much the sum of what happens differs from what was said by chance alone, where what was said is true.
    """

    customers_count: int
    said: float
    happened: float
    deviation: float

    @property
    def ratio(self) -> float | None:
        """What happened for each that was said; None where nothing was said."""
        return self.happened / self.said if self.said > 0 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the ratio, with 95 % confidence."""
        if self.said <= 0:
            return None
        chance = CONFIDENCE * self.deviation
        return max(self.happened - chance, 0.0) / self.said, (self.happened + chance) / self.said

    @property
    def miss(self) -> float:
        """The factor by which what was said is off whatever chance did: 1 where chance explains it."""
        if self.interval is None:
            return 1.0
        low, high = self.interval
        return low if low > 1 else 1 / max(high, 1e-6) if high < 1 else 1.0


def judged_nights(warehouse: Warehouse, as_of: date, target: Target, configured_days: int) -> Iterator[JudgedNight]:
    """The nights before `as_of` whose own horizon has passed by then, the latest first."""
    nights = warehouse.rows(
        f"select as_of_date from {NIGHTS.qualified_name} where model_version is not null and as_of_date <= ? order by as_of_date desc",
        [as_of - timedelta(days=configured_days)],
    )
    for (night,) in nights:
        days, version, scored_by = warehouse.rows(
            f"select min({target}_horizon_days), min(model_version), min(scored_by) "
            f"from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?",
            [night],
        )[0]
        if days is not None and night + timedelta(days=days) <= as_of:
            yield JudgedNight(target, night, days, version, scored_by)


def first_scored_night(warehouse: Warehouse) -> date | None:
    """The first night that scored anybody; None before it."""
    day: date | None = warehouse.rows(f"select min(as_of_date) from {NIGHTS.qualified_name} where model_version is not null")[0][0]
    return day


def are_orders_at_hand(warehouse: Warehouse, as_of: date) -> bool:
    """Whether the orders that a night knows are in the warehouse: dbt keeps those of its latest build."""
    if not warehouse.exists(ORDERS) or not warehouse.exists(PERSONS):
        return False
    return bool(warehouse.rows(f"select 1 from {ORDERS} where as_of_date = ? limit 1", [as_of]))


def judged_customers(night: JudgedNight, as_of: date) -> tuple[str, list[Any]]:
    """A query and its parameters: each customer scored on the night, what was said, and the orders of the horizon that `as_of` knows.

    Who has become another person since is given that person's orders. Figures are DECIMAL, so that sums do not depend on the
    order of addition.
    """
    first = (night.as_of - EPOCH).days
    sql = f"""
        select
            scores.customer_id,
            cast(scores.churn_probability as decimal(18, 10)) as churn_probability,
            cast(scores.expected_value as decimal(18, 4)) as expected_value,
            cast(scores.value_q50 as decimal(18, 4)) as value_q50,
            cast(scores.value_q80 as decimal(18, 4)) as value_q80,
            cast(scores.value_q90 as decimal(18, 4)) as value_q90,
            case when orders.customer_id is null then 0 else 1 end as has_ordered,
            coalesce(orders.net_revenue, 0) as net_revenue
        from {CUSTOMER_SCORES.qualified_name} as scores
        inner join {PERSONS} as persons on scores.customer_id = persons.account_id
        left join (
            select customer_id, cast(sum(net_revenue) as decimal(18, 4)) as net_revenue
            from {ORDERS} where as_of_date = ? and ordered_day >= {first} and ordered_day < {first + night.days}
            group by customer_id
        ) as orders on persons.customer_id = orders.customer_id
        where scores.as_of_date = ?"""
    return sql, [as_of, night.as_of]


def outcome_columns(target: Target) -> str:
    """Aggregates over `judged_customers` that `outcome_of` reads."""
    if target == "churn":
        return "count(*), sum(1 - churn_probability), sum(has_ordered), sum(churn_probability * (1 - churn_probability))"
    error = "cast(net_revenue - expected_value as double precision)"
    return f"count(*), sum(expected_value), sum(net_revenue), sum({error} * {error})"


def outcome_of(row: tuple[Any, ...]) -> Outcome:
    """The outcome that a row of `outcome_columns` tells."""
    customers, said, happened, variance = row
    return Outcome(int(customers), float(said or 0), float(happened or 0), sqrt(max(float(variance or 0), 0.0)))
