"""How many rows a stage has left, for whoever watches: numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from regulars.home import Home
from regulars.run import Kind, resume_run
from regulars.tables import INGESTION_ACCOUNTS, SYNCS
from regulars.warehouse import open_warehouse


def rows_of(home: Home, tables: Sequence[str], *days: date) -> dict[str, int]:
    """Rows of each table, of the as_of dates where any are given."""
    where = f" where as_of_date in ({', '.join('?' for _ in days)})" if days else ""
    with open_warehouse(home, role="reader", read_only=True) as warehouse:
        return {table: int(warehouse.rows(f"select count(*) from {table}{where}", days)[0][0]) for table in tables}


def landed_rows(home: Home, source: str, as_of: date, kind: Kind) -> dict[str, int]:
    """What the run has read of a source, and what became of it."""
    figures = ("rows_read", "rows_loaded", "duplicates_merged", "rows_excluded", "rows_quarantined")
    sums = ", ".join(f"coalesce(sum({figure}), 0)" for figure in figures)
    run = resume_run(home, kind, as_of)
    with open_warehouse(home, role="reader", read_only=True) as warehouse:
        sql = f"select {sums} from {INGESTION_ACCOUNTS.qualified_name} where source = ? and run_id = ?"
        return dict(zip(figures, map(int, warehouse.rows(sql, [source, run.run_id])[0]), strict=True))


def synced_rows(home: Home, destination: str, as_of: date) -> dict[str, int]:
    """Customers on a destination's lists after the night, and how many entered and left."""
    figures = ("customers_count", "entered_count", "left_count", "held_back_count", "rejected_count")
    sums = ", ".join(f"coalesce(sum({figure}), 0)" for figure in figures)
    with open_warehouse(home, role="reader", read_only=True) as warehouse:
        sql = f"select {sums} from {SYNCS.qualified_name} where destination = ? and as_of_date = ?"
        return dict(zip(figures, map(int, warehouse.rows(sql, [destination, as_of])[0]), strict=True))
