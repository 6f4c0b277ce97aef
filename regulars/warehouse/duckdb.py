"""The embedded default: one DuckDB file, one writer process at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from regulars.file_lock import FileLock
from regulars.home import Home
from regulars.literal import literal
from regulars.settings import warehouse_settings
from regulars.tables import Column, ColumnType, Table, all_tables
from regulars.warehouse.compression import declared
from regulars.warehouse.publication import publish
from regulars.warehouse.restoration import ROTTEN_BLOCK, keep_snapshot, opened, restore
from regulars.warehouse.slices import replace_slice
from regulars.warehouse.warehouse import ROWS_PER_BATCH, Lending

COLUMN_TYPES: dict[ColumnType, str] = {
    "text": "varchar",
    "integer": "bigint",
    "double": "double",
    "amount": "decimal(18, 4)",
    "timestamp": "timestamp",
    "date": "date",
    "boolean": "boolean",
    "bytes": "blob",
}

EngineError = duckdb.Error
"""What `connect`'s connections raise. Its text may quote values: never show it where data have been read."""

WRITER_WAIT_SECONDS = 60.0
CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")


class DuckDBWarehouse:
    """See `regulars.warehouse.Warehouse`.

    DuckDB takes one process at a time, so reading and writing both hold `warehouse.lock` beside the file while it is
    open, and wait for each other. People read the published copy, which needs no lock.
    """

    reads_single_columns = True

    def __init__(self, home: Home, *, read_only: bool = False):
        self._home = home
        self._lock = FileLock(home.var / "warehouse.lock", purpose="the warehouse", wait_seconds=WRITER_WAIT_SECONDS)
        self._is_published = False
        home.private_folder(home.var)
        self._is_in_transaction = False
        self._lock.acquire()
        try:
            # What a killed process had no room for in memory: rows of the schema `private` among it.
            shutil.rmtree(_spill_folder(home.warehouse), ignore_errors=True)
            is_new = not home.warehouse.exists()
            self._is_read_only = read_only and not is_new
            self._connection = opened(home, lambda: connect(home.warehouse, read_only=self._is_read_only, memory_limit=memory_limit(home)))
            try:
                if not self._is_read_only:
                    home.warehouse.chmod(0o600)
                    self._create_tables()
            except BaseException as error:
                self._connection.close()
                self._restore_if_rotten(error)
                raise
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> DuckDBWarehouse:
        return self

    def __exit__(self, *exception: object) -> None:
        error = exception[1]
        try:
            try:
                if error is None and not self._is_read_only:
                    # A step has not ended before the file itself holds what it wrote: the log may be damaged.
                    self.execute("checkpoint")
            finally:
                self._connection.close()
            self._restore_if_rotten(error)
            if self._is_published and error is None:
                keep_snapshot(self._home)
        finally:
            self._lock.release()

    def _restore_if_rotten(self, error: object) -> None:
        if isinstance(error, duckdb.Error) and ROTTEN_BLOCK in str(error):
            restore(self._home, "is damaged")

    def _create_tables(self) -> None:
        """Those of the contract that are missing; in a warehouse of an earlier version, also their new columns."""
        tables = [(table.qualified_name, *map(_declared, table.columns)) for table in all_tables() if table.written_by != "dbt"]
        fingerprint = hashlib.sha256(repr(tables).encode()).hexdigest()
        # To look at the catalogue takes as long as to open the file, so the contract that was met last is written down.
        with suppress(duckdb.CatalogException):
            if self.rows("select fingerprint from control.contract") == [(fingerprint,)]:
                return
        existing: dict[str, set[str]] = defaultdict(set)
        for table_name, column_name in self.rows(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() where database_name = current_database()"
        ):
            existing[table_name].add(column_name)
        for table in all_tables():
            if table.written_by == "dbt":
                continue
            if table.qualified_name not in existing:
                self.execute(f"create schema if not exists {table.schema}")
                self.execute(f"create table {table.qualified_name} ({', '.join(map(_declared, table.columns))})")
                continue
            for column in table.columns:
                if column.name not in existing[table.qualified_name] and column.nullable:
                    self.execute(f"alter table {table.qualified_name} add column {column.name} {COLUMN_TYPES[column.type]}")
        self.execute("create or replace table control.contract as select cast(? as varchar) as fingerprint", [fingerprint])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, list(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def reader(self, sql: str, parameters: Sequence[Any] = ()) -> pa.RecordBatchReader:
        return self._connection.sql(sql, params=list(parameters)).to_arrow_reader()

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows_per_batch: int = ROWS_PER_BATCH) -> Iterator[pa.RecordBatch]:
        with self._connection.cursor() as cursor:
            yield from cursor.sql(sql, params=list(parameters)).to_arrow_reader(rows_per_batch)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._is_in_transaction:  # DuckDB has no transactions within another: the outer one decides
            yield
            return
        self._connection.begin()
        self._is_in_transaction = True
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        else:
            self._connection.commit()
        finally:
            self._is_in_transaction = False

    def exists(self, table: Table | str) -> bool:
        schema, name = (table if isinstance(table, str) else table.qualified_name).split(".")
        found = self.rows("select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name])
        return bool(found)

    def create_temporary(self, name: str, definition: str, parameters: Sequence[Any] = ()) -> None:
        self.execute(f"create or replace temporary table {name} {definition}", parameters)

    def load_temporary(self, name: str, parquet_files: Sequence[Path]) -> None:
        # Read where they stand: a copy of them would cost as much as landing them.
        files = ", ".join(literal(str(file)) for file in parquet_files)
        self.execute(f"create or replace temporary view {name} as select * from read_parquet([{files}])")

    def append(self, table: Table, rows: pa.Table | pa.RecordBatch) -> None:
        self._append(table.qualified_name, pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows)

    def append_temporary(self, name: str, rows: pa.Table) -> None:
        self._append(name, rows)

    def _append(self, name: str, rows: pa.Table) -> None:
        if not rows.num_rows:
            # DuckDB 2.0.0: in a transaction, what is inserted into a new table after an empty insert is lost to `group by`.
            return
        # DuckDB 2.0.0: what is registered within a transaction stays in memory until its end, even if it is unregistered before.
        self._connection.from_arrow(rows).query("appended_rows", f"insert into {name} by name select * from appended_rows")

    def replace_slice(self, table: Table, value: Any, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
        return replace_slice(self, table, value, batches)

    def publish(self) -> str:
        publish(self._connection, self._home.published_warehouse)
        self._is_published = True
        return str(self._home.published_warehouse)


@contextmanager
def lend_to_dbt(home: Home) -> Iterator[Lending]:
    """See `regulars.warehouse.lend_to_dbt`."""
    with FileLock(home.var / "warehouse.lock", purpose="the warehouse", wait_seconds=WRITER_WAIT_SECONDS) as lock:
        environment = {
            "REGULARS_ENGINE": "duckdb",
            "REGULARS_WAREHOUSE": str(home.warehouse),
            "REGULARS_MEMORY_LIMIT": memory_limit(home),
            "REGULARS_SPILL": str(_spill_folder(home.warehouse)),
        }
        yield Lending(environment, lock.descriptor)


def memory_limit(home: Home, part: float = 1.0) -> str:
    """What DuckDB may take for the home's warehouse, or a part of that, as it wants to be told."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no container, or one without a limit
        memory = min(memory, int(CONTAINER_MEMORY.read_text()))
    return f"{int(memory * warehouse_settings(home).memory_share * part / 2**20)}MiB"


def _spill_folder(file: Path) -> Path:
    return file.parent / "spill"


def _declared(column: Column) -> str:
    return declared(column.name, COLUMN_TYPES[column.type], nullable=column.nullable)


def connect(
    path: Path | str = ":memory:", *, read_only: bool = False, memory_limit: str | None = None, spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the settings that every use in Regulars shares: UTC, no downloads of extensions.

    Args:
        spill: folder for what does not fit into memory; default: beside the file, and for a database in memory none.
    """
    connection = duckdb.connect(
        str(path),
        read_only=read_only,
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute("set TimeZone = 'UTC'")
    if spill is None and path != ":memory:":
        spill = _spill_folder(Path(path))
    # By itself a database in memory would spill personal data into the working directory.
    connection.execute(f"set temp_directory = {literal(str(spill or ''))}")
    if memory_limit is not None:
        connection.execute(f"set memory_limit = '{memory_limit}'")
    return connection
