"""What a night was: whose, when, by which model, and how its gates ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from regulars.nights import known_until_of
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_SCORES, GATE_RESULTS, GATES, NIGHTS
from regulars.warehouse import Warehouse
from reporting.numbers import Money


@dataclass(frozen=True)
class UnmetExpectation:
    place: str
    expectation: str
    observed: str


@dataclass(frozen=True)
class Gate:
    """How the night's gates ended; `ran_count` of them have run."""

    ran_count: int
    expectations_count: int
    unmet: tuple[UnmetExpectation, ...]

    @property
    def state(self) -> str:
        if not self.ran_count:
            return "not run"
        if self.unmet:
            return "stopped"
        return "passed" if self.ran_count == len(GATES) else "unfinished"


@dataclass(frozen=True)
class Night:
    """The night that is reported on. `previous` is the last as_of before it that was scored."""

    shop: str
    as_of: date
    time_zone: str
    known_until: datetime | None
    money: Money
    previous: date | None
    model_version: str | None
    scored_by: str | None
    scored_because: str | None
    churn_horizon_days: int
    value_horizon_days: int
    gate: Gate

    @property
    def is_scored(self) -> bool:
        return self.model_version is not None


def load_night(warehouse: Warehouse, settings: HomeSettings, as_of: date) -> Night:
    scores = CUSTOMER_SCORES.qualified_name
    scored = warehouse.rows(
        f"""
        select min(model_version), min(scored_by), min(churn_horizon_days), min(value_horizon_days)
        from {scores} where as_of_date = ?
        """,
        [as_of],
    )[0]
    because = warehouse.rows(f"select scored_because from {NIGHTS.qualified_name} where as_of_date = ?", [as_of])
    previous = warehouse.rows(f"select max(as_of_date) from {scores} where as_of_date < ?", [as_of])[0][0]
    return Night(
        shop=settings.shop.name,
        as_of=as_of,
        time_zone=settings.shop.time_zone,
        known_until=known_until_of(warehouse, as_of),
        money=Money(settings.shop.currency),
        previous=previous,
        model_version=scored[0],
        scored_by=scored[1],
        scored_because=because[0][0] if because else None,
        churn_horizon_days=scored[2] or settings.prediction.churn_horizon_days,
        value_horizon_days=scored[3] or settings.prediction.value_horizon_days,
        gate=_gate(warehouse, as_of),
    )


def _gate(warehouse: Warehouse, as_of: date) -> Gate:
    results = GATE_RESULTS.qualified_name
    ran, expectations = warehouse.rows(f"select count(distinct gate), count(*) from {results} where as_of_date = ?", [as_of])[0]
    place = "concat(coalesce(table_name, ''), case when column_name = '' then '' else concat('.', column_name) end)"
    unmet = warehouse.rows(
        f"select {place}, expectation, observed from {results} where as_of_date = ? and not is_met order by 1, 2", [as_of]
    )
    return Gate(ran, expectations, tuple(UnmetExpectation(*row) for row in unmet))
