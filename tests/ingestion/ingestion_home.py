"""A home with one shop of files, extracted and landed night by night."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from regulars.home import Home
from regulars.run import close_run, resume_run
from regulars.warehouse import open_warehouse
from tests.empty_warehouse import lay_empty_warehouse

SHOP = "name: Test shop\ntime_zone: Europe/Berlin\ncurrency: EUR\n"
ORDERS = """
      orders:
        path: orders.csv
        columns: {order_id: id, account_id: customer, ordered_at: placed, net_revenue: total}
"""


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    """A moment as the warehouse has it: UTC without zone."""
    return datetime(year, month, day, *clock)


class IngestionHome:
    """`night(n)` is the run of the n-th night; its clock stands at 03:00 UTC of that day."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        self._monkeypatch = monkeypatch
        (path / "config").mkdir(parents=True)
        (path / "config" / "shop.yml").write_text(SHOP)
        (path / "config" / "prediction.yml").write_text("{}\n")
        self.files = path / "files"
        self.files.mkdir()
        self.home = Home.at(path)
        lay_empty_warehouse(self.home)
        self.tables(ORDERS)

    def tables(self, text: str, *, settings: str = "") -> None:
        """Describe the source `shop` by the YAML below `tables:`."""
        self.sources(f"  shop:\n    type: files\n    path: files\n{settings}    tables:{text}")

    def sources(self, text: str) -> None:
        (self.home.config / "sources.yml").write_text(f"sources:\n{text}")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def at(self, night: int) -> tuple[date, datetime]:
        moment = utc(2026, 3, 1, 3) + timedelta(days=night - 1)
        self._monkeypatch.setenv("REGULARS_CLOCK", moment.isoformat())
        return moment.date(), moment

    def extract(self, night: int = 1, source: str = "shop") -> None:
        extract_source(self.home, source, self.at(night)[0], "night")

    def land(self, night: int = 1, source: str = "shop") -> None:
        land_source(self.home, source, self.at(night)[0], "night")

    def close(self, night: int = 1) -> None:
        close_run(resume_run(self.home, "night", self.at(night)[0]))

    def run(self, night: int = 1, source: str = "shop") -> None:
        self.extract(night, source)
        self.land(night, source)
        self.close(night)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.home, read_only=True) as warehouse:
            return warehouse.rows(sql)

    def dump(self, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
        with open_warehouse(self.home, read_only=True) as warehouse:
            return {table: sorted(warehouse.rows(f"select * from {table}"), key=repr) for table in tables}

    def account(self, table: str = "orders", night: int = 1) -> dict[str, int]:
        """The table's account of a night."""
        names = ("rows_read", "rows_loaded", "duplicates_merged", "rows_excluded", "rows_quarantined")
        run_id = f"night-{self.at(night)[0]}-1"
        rows = self.rows(f"select {', '.join(names)} from control.ingestion_accounts where table_name = '{table}' and run_id = '{run_id}'")
        assert len(rows) == 1
        return dict(zip(names, rows[0], strict=True))

    def quarantine(self) -> list[tuple[int, str, bytes]]:
        return self.rows("select line, reason, raw_bytes from private.quarantine order by run_id, table_name, line")


def count_records(content: bytes, delimiter: str = ",") -> int:
    """Rows after the header, counted by another parser than the one under test."""
    return len(list(csv.reader(io.StringIO(content.decode(errors="replace"), newline=""), delimiter=delimiter))) - 1
