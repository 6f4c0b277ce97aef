"""What the tables of staging hold of raw: whether they stand, and which rows have come since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa

from regulars.dbt import project_hash
from regulars.run import Run
from regulars.tables import BUILDS, CANONICAL_TABLES, STAGED_ROWS
from regulars.warehouse import Warehouse

RowCounts = dict[tuple[str, str, str], int]
"""Rows by run, source and table."""


@dataclass(frozen=True)
class StagingBuild:
    """What a build of staging has to do.

    Attributes:
        rows: what raw holds.
        staged: what of it the tables of staging hold; empty when everything is to be built.
        fingerprint: of the parameters and dbt models that they are built with.
    """

    rows: RowCounts
    staged: RowCounts
    fingerprint: str

    @property
    def is_needed(self) -> bool:
        return not self.staged or self.rows != self.staged

    @property
    def is_whole(self) -> bool:
        return not self.staged

    @property
    def new_rows_count(self) -> int:
        return sum(self.rows.values()) - sum(self.staged.values())


def next_build(warehouse: Warehouse, run: Run) -> StagingBuild:
    """Compare raw with what staging was built from.

    Everything is built when staging stands unfinished or was built with other parameters or models, when rows that it
    holds are gone from raw, and when a source gives a table for the first time, for that may change orders of which no
    row is new.
    """
    rows, fingerprint = _rows_of_raw(warehouse), models_fingerprint(run)
    stands = warehouse.rows("select 1 from control.builds where layer = 'staging' and fingerprint = ?", [fingerprint])
    recorded = warehouse.rows(f"select run_id, source, table_name, rows_count from {STAGED_ROWS.qualified_name}") if stands else []
    staged = {(run_id, source, table): count for run_id, source, table, count in recorded}
    is_changed = any(rows.get(key) != count for key, count in staged.items())
    brings_a_table = {key[1:] for key in rows} - {key[1:] for key in staged}
    return StagingBuild(rows, {} if is_changed or brings_a_table else staged, fingerprint)


def forget_staging(warehouse: Warehouse) -> None:
    """Have everything built next time, the night's tables included."""
    warehouse.execute("delete from control.builds")
    warehouse.execute(f"delete from {STAGED_ROWS.qualified_name}")


def doubt_staging(warehouse: Warehouse) -> None:
    """As `forget_staging`, for a stage that may not write what the builder writes: what it has landed, it has taken back."""
    warehouse.execute("update control.builds set fingerprint = ''")


def record_build(warehouse: Warehouse, run: Run, built: StagingBuild) -> None:
    """Write down that staging stands complete and tested."""
    keys = list(built.rows)
    with warehouse.transaction():
        warehouse.execute("delete from control.builds where layer = 'staging'")
        warehouse.execute(f"delete from {STAGED_ROWS.qualified_name}")
        warehouse.append(BUILDS, pa.table({"layer": ["staging"], "fingerprint": [built.fingerprint], "run_id": [run.run_id]}))
        if keys:
            columns = dict(zip(("run_id", "source", "table_name"), map(list, zip(*keys, strict=True)), strict=True))
            warehouse.append(STAGED_ROWS, pa.table({**columns, "rows_count": list(built.rows.values())}))


def _rows_of_raw(warehouse: Warehouse) -> RowCounts:
    return {
        (run_id, source, table.name): count
        for table in CANONICAL_TABLES
        for run_id, source, count in warehouse.rows(f"select run_id, source, count(*) from {table.qualified_name} group by run_id, source")
    }


def models_fingerprint(run: Run) -> str:
    """SHA-256 over the parameters and dbt models that tables are built with."""
    shop = run.settings.shop
    return hashlib.sha256(repr((shop.time_zone, shop.currency, project_hash())).encode()).hexdigest()
