"""Room for rows in flight that may be more than memory holds: databases that spill, and tables that stand in files.

Nothing of it outlives the work: the files have no name, and what a killed process spilt is removed by the next of its kind.
"""

from __future__ import annotations

import mmap
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from regulars.home import Home
from regulars.warehouse.duckdb import connect, memory_limit

SHARE = 0.5
"""Of what DuckDB may take for a warehouse: the rows themselves stand beside it."""


class Workspace:
    """A context in which tables and databases of one piece of work live."""

    def __init__(self, home: Home, name: str):
        """
        Args:
            name: of the work; the caller sees to it that only one process at a time is at it.
        """
        self._folder = home.private_folder(home.var / "in_flight") / name
        self._memory_limit = memory_limit(home, SHARE)

    def __enter__(self) -> Workspace:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database in memory, which spills here what it has no room for."""
        with connect(memory_limit=self._memory_limit, spill=self._folder) as connection:
            yield connection

    def table(self, rows: pa.RecordBatchReader) -> pa.Table:
        """The rows as a table whose columns are a file's bytes: the operating system holds of them what it has room for."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            with pa.ipc.new_stream(file, rows.schema) as stream:
                for batch in rows:
                    stream.write_batch(batch)
            file.flush()
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return pa.ipc.open_stream(pa.py_buffer(content)).read_all()
