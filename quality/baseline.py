"""What a night is held against: the last one before it that passed every gate, and the date its model was evaluated on.

A night that failed is no measure: after its repair the next one would look like an accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from regulars.tables import CUSTOMER_FEATURES, GATE_RESULTS, GATES, MODEL_EVALUATIONS, NIGHTS
from regulars.warehouse import Warehouse


@dataclass(frozen=True)
class PassedNight:
    """A night that passed all gates, and what it knew."""

    as_of: date
    known_until: datetime


def last_passed_night(warehouse: Warehouse, before: date) -> PassedNight | None:
    """The latest night before `before` that passed all gates; None when there is none."""
    rows = warehouse.rows(
        f"""
        select nights.as_of_date, nights.known_until
        from {NIGHTS.qualified_name} as nights
        inner join (
            select as_of_date
            from {GATE_RESULTS.qualified_name}
            where as_of_date < ? and outcome is not null
            group by as_of_date
            having min(case when is_met then 1 else 0 end) = 1 and count(distinct gate) = {len(GATES)}
        ) as passed on nights.as_of_date = passed.as_of_date
        order by nights.as_of_date desc
        limit 1
        """,
        [before],
    )
    return PassedNight(*rows[0]) if rows else None


def evaluation_date(warehouse: Warehouse, before: date) -> date | None:
    """The latest cutoff that a model was evaluated on and whose features still stand; None without a trained model."""
    rows = warehouse.rows(
        f"""
        select max(evaluated.as_of_date)
        from {MODEL_EVALUATIONS.qualified_name} as evaluated
        where evaluated.as_of_date < ? and exists (
            select 1 from {CUSTOMER_FEATURES.qualified_name} as features where features.as_of_date = evaluated.as_of_date
        )
        """,
        [before],
    )
    day: date | None = rows[0][0]
    return day
