"""What was read from the sources, and where every row went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from regulars.tables import EXCLUSIONS, INGESTION_ACCOUNTS
from regulars.warehouse import Warehouse

AS_OF_OF_RUN = "case when run_id like 'night-%' then substr(run_id, 7, 10) else substr(run_id, 10, 10) end"
"""A run_id is its kind, its as_of and a number: night-2025-07-01-1 or training-2025-07-01-1."""


@dataclass(frozen=True)
class Account:
    """Rows of one canonical table of one source, over one or all nights: read = loaded + merged + excluded + quarantined."""

    source: str
    table_name: str
    rows_read: int
    rows_loaded: int
    duplicates_merged: int
    rows_excluded: int
    rows_quarantined: int

    @property
    def is_balanced(self) -> bool:
        return self.rows_read == self.rows_loaded + self.duplicates_merged + self.rows_excluded + self.rows_quarantined


@dataclass(frozen=True)
class Exclusion:
    source: str
    table_name: str
    reason: str
    rows_excluded: int


def load_accounts(warehouse: Warehouse, first: date | None, last: date) -> list[Account]:
    """Accounts summed over all runs with `first` <= as_of <= `last`; from the beginning when `first` is None."""
    rows = warehouse.rows(
        f"""
        select source, table_name,
            sum(rows_read), sum(rows_loaded), sum(duplicates_merged), sum(rows_excluded), sum(rows_quarantined)
        from {INGESTION_ACCOUNTS.qualified_name}
        where {AS_OF_OF_RUN} between ? and ?
        group by source, table_name order by source, table_name
        """,
        [_text(first), last.isoformat()],
    )
    return [Account(row[0], row[1], *(int(number) for number in row[2:])) for row in rows]


def load_exclusions(warehouse: Warehouse, first: date | None, last: date) -> list[Exclusion]:
    """Rows left out by declared rules, most first; see `load_accounts`."""
    rows = warehouse.rows(
        f"""
        select source, table_name, reason, sum(rows_excluded)
        from {EXCLUSIONS.qualified_name}
        where {AS_OF_OF_RUN} between ? and ? and rows_excluded > 0
        group by source, table_name, reason order by sum(rows_excluded) desc, source, table_name, reason
        """,
        [_text(first), last.isoformat()],
    )
    return [Exclusion(row[0], row[1], row[2], int(row[3])) for row in rows]


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""
