"""A DuckDB of one extraction's own, for data in flight: what does not fit into memory spills into the extract's folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from regulars.errors import InputError
from regulars.literal import literal
from regulars.warehouse.duckdb import EngineError, connect

MEMORY_LIMIT = "2GB"
PARQUET = "format parquet, parquet_version v2, dictionary_size_limit 1000, compression uncompressed"
"""Keys and hashes hardly repeat: who collects them for a dictionary finds after 100,000 values that it is none. And the files are
read once and removed: to compress them takes longer than to write what it would spare."""


class WorkDatabase:
    """Set-based work on rows in flight. Its errors never quote a value, for it may be personal.

    Attributes:
        folder: for files of the work, which vanish with it.
    """

    def __init__(self, folder: Path):
        self.folder = folder / "work"
        self.folder.mkdir(mode=0o700)
        self._connection = connect(self.folder / "work.duckdb")
        self._connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")

    def __enter__(self) -> WorkDatabase:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        shutil.rmtree(self.folder)

    def use_time_zone(self, name: str) -> None:
        """Times without a zone are read in this one from here on."""
        self._connection.execute(f"set TimeZone = {literal(name)}")

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, list(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def arrow(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()

    def write_parquet(self, query: str, file: Path) -> int:
        """Write the result of a query, readable by the owner alone; the number of rows."""
        written = self.rows(f"copy ({query}) to {literal(str(file))} ({PARQUET})")[0][0]
        file.chmod(0o600)
        return int(written)

    def load(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], sql: str) -> None:
        """Run `sql` over `batches`, which it reads once as the relation `name`.

        Raises:
            InputError: what the batches raise, or that they could not be worked on.
        """
        failures: list[Exception] = []

        def guarded() -> Iterator[pa.RecordBatch]:
            try:
                yield from batches
            except Exception as failure:
                failures.append(failure)
                raise

        self._connection.register(name, pa.RecordBatchReader.from_batches(schema, guarded()))
        try:
            self._connection.execute(sql)
        except EngineError as error:
            if failures:
                raise failures[0] from None
            # The engine's message may quote a value of the file.
            raise InputError(f"the rows could not be typed or judged by the mapping's rules ({type(error).__name__})") from None
        finally:
            self._connection.unregister(name)
