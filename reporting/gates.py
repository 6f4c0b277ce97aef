"""What the gates of a night saw: how many expectations held, and the few figures that a person asks for first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from regulars.tables import GATE_RESULTS, GATES, PROFILES
from regulars.warehouse import Warehouse
from reporting import numbers

FIGURES = (
    ("Orders of the last seven days", "orders", "*", "placed_in_7_days", "usual_in_7_days"),
    ("Customers", "customer_features", "*", "rows_count", None),
    ("Accounts whose consent is unknown", "consents", "*", "unknown_share", None),
)


@dataclass(frozen=True)
class GateCounts:
    """Expectations of one gate by outcome."""

    name: str
    met_count: int
    warned_count: int
    accepted_count: int
    broken_count: int


@dataclass(frozen=True)
class GateFigure:
    title: str
    now: str
    usual: str


def load_gate_counts(warehouse: Warehouse, as_of: date) -> list[GateCounts]:
    """The gates that have run, in the order of the night."""
    rows = warehouse.rows(
        f"""
        select
            gate,
            count(*) filter (where is_met and coalesce(outcome, 'met') = 'met'),
            count(*) filter (where outcome = 'warned'),
            count(*) filter (where outcome = 'accepted'),
            count(*) filter (where not is_met)
        from {GATE_RESULTS.qualified_name} where as_of_date = ? group by gate
        """,
        [as_of],
    )
    return sorted((GateCounts(*row) for row in rows), key=lambda gate: GATES.index(gate.name))


def load_gate_figures(warehouse: Warehouse, as_of: date) -> Sequence[GateFigure]:
    """Volume, customers, consents, and the feature and score that have moved most since the last good night."""
    values = {
        (table, column, statistic): value
        for table, column, statistic, value in warehouse.rows(
            f"select table_name, column_name, statistic, value from {PROFILES.qualified_name} where as_of_date = ? and value is not null",
            [as_of],
        )
    }
    figures = []
    for title, table, column, statistic, usual in FIGURES:
        value = values.get((table, column, statistic))
        if value is not None:
            write = numbers.percent if statistic.endswith("_share") else numbers.count
            known = values.get((table, column, usual)) if usual else None
            figures.append(GateFigure(title, write(value), write(known) if known is not None else "–"))
    for name, table in (("feature", "customer_features"), ("score", "customer_scores")):
        moved = [
            (value, column) for (of, column, statistic), value in values.items() if of == table and statistic == "psi_since_last_night"
        ]
        if moved:
            index, column = max(moved)
            figures.append(GateFigure(f"The {name} that has moved most, {column} (PSI)", f"{index:.3f}", "at most 0.1"))
    return figures
