"""What every engine offers to the stages: SQL, Arrow in and out, transactions, replaced slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from regulars.home import Home
from regulars.tables import Table


class Warehouse(Protocol):
    """One connection to the warehouse. SQL is what DuckDB and Postgres share, with `?` for parameters."""

    def __enter__(self) -> Warehouse: ...

    def __exit__(self, *exception: object) -> None: ...

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement for its effect."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result."""

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """All rows of a result as one Arrow table."""

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows_per_batch: int = 100_000) -> Iterator[pa.RecordBatch]:
        """A result as Arrow batches in bounded memory, read in a snapshot of its own."""

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside commit together, or none does."""

    def exists(self, table: Table | str) -> bool:
        """Whether the table has been built."""

    def load_temporary(self, name: str, parquet_files: Sequence[Path]) -> None:
        """Make a temporary table of the union of Parquet files with the same columns."""

    def append(self, table: Table, rows: pa.Table | pa.RecordBatch) -> None:
        """Insert rows; columns are matched by name."""

    def append_temporary(self, name: str, rows: pa.Table) -> None:
        """Insert rows into a temporary table; columns are matched by name."""

    def replace_slice(self, table: Table, value: Any, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
        """Replace the slice of `table` whose `slice_by` column equals `value`, in one transaction; the number of rows written."""

    def publish(self) -> None:
        """Refresh the read-only copy for people, whole or not at all."""


def open_warehouse(home: Home, *, read_only: bool = False) -> Warehouse:
    """The home's warehouse, with all tables of `regulars.tables` that Python writes.

    Raises:
        TryAgain: another process is at work and did not finish in time.
    """
    from regulars.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(home, read_only=read_only)
