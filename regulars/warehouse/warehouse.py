"""What every engine offers to the stages: SQL, Arrow in and out, transactions, replaced slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import pyarrow as pa

from regulars.home import Home
from regulars.settings import warehouse_settings
from regulars.tables import Table

Role = Literal["loader", "builder", "scorer", "activator", "reader", "rebuilder"]
"""As whom a stage works, where the engine knows roles: ingestion loads, dbt and the kernel build, quality, models and
scoring score, activation activates, reporting reads; a rebuild builds, scores and reads addresses in one transaction. See
`regulars.warehouse.postgres_roles` for what each may do."""


ROWS_PER_BATCH = 100_000


class Warehouse(Protocol):
    """One connection to the warehouse. SQL is what DuckDB and Postgres share, with `?` for parameters.

    One that `reads_single_columns` scans a table once for each of them for no more than once for all.
    """

    reads_single_columns: bool

    def __enter__(self) -> Warehouse: ...

    def __exit__(self, *exception: object) -> None: ...

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement for its effect."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result."""

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """All rows of a result as one Arrow table."""

    def reader(self, sql: str, parameters: Sequence[Any] = ()) -> pa.RecordBatchReader:
        """All rows of a result in bounded memory, to be read to the end before anything else is asked of the warehouse."""

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows_per_batch: int = ROWS_PER_BATCH) -> Iterator[pa.RecordBatch]:
        """A result as Arrow batches in bounded memory, read in a snapshot of its own."""

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside commit together, or none does. Within another one it is a part of that one."""

    def exists(self, table: Table | str) -> bool:
        """Whether the table has been built."""

    def create_temporary(self, name: str, definition: str, parameters: Sequence[Any] = ()) -> None:
        """Make a temporary table anew: `definition` is its columns in brackets, or `as` and a query."""

    def load_temporary(self, name: str, parquet_files: Sequence[Path]) -> None:
        """Make a temporary table or view, for reading, of the union of Parquet files with the same columns; they stay until it is gone."""

    def append(self, table: Table, rows: pa.Table | pa.RecordBatch) -> None:
        """Insert rows; columns are matched by name."""

    def append_temporary(self, name: str, rows: pa.Table) -> None:
        """Insert rows into a temporary table; columns are matched by name."""

    def replace_slice(self, table: Table, value: Any, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
        """Replace the slice of `table` whose `slice_by` column equals `value`, in one transaction; the number of rows written."""

    def publish(self) -> str:
        """Let people see the night, whole or not at all; where they query it."""


class Lending(NamedTuple):
    """What dbt is told: the environment in which dbt/profiles.yml finds the warehouse, and the open file (a lock's, or a
    connection's) that holds the writer's place for as long as any process has it."""

    environment: dict[str, str]
    descriptor: int


def open_warehouse(home: Home, *, role: Role | None = None, read_only: bool = False) -> Warehouse:
    """The home's warehouse, with all tables of `regulars.tables` that Python writes.

    Without a role, as the owner of those tables, which is not for a stage.

    Raises:
        TryAgain: another process is at work and did not finish in time.
        ConfigurationError: config/warehouse.yml, or the address of the server, is at fault.
    """
    if warehouse_settings(home).engine == "postgres":
        from regulars.warehouse.postgres import PostgresWarehouse

        return PostgresWarehouse(home, role=role, read_only=read_only)
    from regulars.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(home, read_only=read_only)


def lend_to_dbt(home: Home) -> AbstractContextManager[Lending]:
    """Hold the writer's place for a dbt process.

    Raises:
        TryAgain: another process is at work and did not finish in time.
    """
    if warehouse_settings(home).engine == "postgres":
        from regulars.warehouse import postgres

        return postgres.lend_to_dbt(home)
    from regulars.warehouse import duckdb

    return duckdb.lend_to_dbt(home)
