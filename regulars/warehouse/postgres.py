"""A Postgres server as the warehouse, for a shop that has one already, or people who query it while nights run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.adapt import Loader
from psycopg.types.numeric import NumericLoader

from regulars.home import Home
from regulars.tables import Table
from regulars.warehouse.postgres_connection import address_of, become, connect, named_errors, take_writers_place
from regulars.warehouse.postgres_copy import column_type, copy_in, copy_out
from regulars.warehouse.postgres_roles import is_prepared, prepare
from regulars.warehouse.slices import replace_slice
from regulars.warehouse.warehouse import ROWS_PER_BATCH, Lending, Role

TOKENS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|\?|%")
DBT_ADDRESS = {
    "host": "REGULARS_POSTGRES_HOST",
    "port": "REGULARS_POSTGRES_PORT",
    "user": "REGULARS_POSTGRES_USER",
    "dbname": "REGULARS_POSTGRES_DATABASE",
    "password": "DBT_ENV_SECRET_REGULARS_POSTGRES_PASSWORD",
}
"""What dbt/profiles.yml reads. dbt takes values of DBT_ENV_SECRET variables out of whatever it writes."""
STALE = """
select format('%I.%I', schemaname, relname) from pg_stat_user_tables
where schemaname in ('raw', 'private', 'control')
    and pg_has_role(current_user, (select relowner from pg_class where pg_class.oid = relid), 'usage')
    and n_mod_since_analyze > 500 + 0.1 * n_live_tup
"""


class PostgresWarehouse:
    """See `regulars.warehouse.Warehouse`.

    One process writes at a time, as with DuckDB's file: it holds an advisory lock for as long as its connection lives.
    Readers hold nothing; they see what is committed.
    """

    reads_single_columns = False

    def __init__(self, home: Home, *, role: Role | None = None, read_only: bool = False):
        self._home, self._role = home, role
        self._connection = connect(home, read_only=True) if read_only else _as_writer(home)
        try:
            with named_errors():
                if read_only and not is_prepared(self._connection):
                    _as_writer(home).close()
                become(self._connection, role)
        except BaseException:
            self._connection.close()
            raise
        self._connection.adapters.register_loader("numeric", _WholeNumbers)

    def __enter__(self) -> PostgresWarehouse:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        with named_errors():
            self._connection.execute(*_bound(sql, parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with named_errors():
            return self._connection.execute(*_bound(sql, parameters)).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        return pa.Table.from_batches(list(self._batches(self._connection, sql, parameters, None)))

    def reader(self, sql: str, parameters: Sequence[Any] = ()) -> pa.RecordBatchReader:
        batches = self._batches(self._connection, sql, parameters, ROWS_PER_BATCH)
        first = next(batches)
        return pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows_per_batch: int = ROWS_PER_BATCH) -> Iterator[pa.RecordBatch]:
        with connect(self._home, read_only=True) as reader:
            become(reader, self._role)
            yield from self._batches(reader, sql, parameters, rows_per_batch)

    @staticmethod
    def _batches(
        connection: psycopg.Connection[Any], sql: str, parameters: Sequence[Any], rows_per_batch: int | None
    ) -> Iterator[pa.RecordBatch]:
        with named_errors():
            yield from copy_out(connection, *_bound(sql, parameters), rows_per_batch)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with named_errors(), self._connection.transaction():
            yield

    def exists(self, table: Table | str) -> bool:
        schema, name = (table if isinstance(table, str) else table.qualified_name).split(".")
        # information_schema would show only what the role may read.
        found = self.rows("select 1 from pg_class where relname = ? and relnamespace = to_regnamespace(?)", [name, schema])
        return bool(found)

    def create_temporary(self, name: str, definition: str, parameters: Sequence[Any] = ()) -> None:
        self.execute(f"drop table if exists pg_temp.{name}")
        self.execute(f"create temporary table {name} {definition}", parameters)
        self.execute(f"analyze {name}")  # without its size a join with it is planned for a handful of rows

    def load_temporary(self, name: str, parquet_files: Sequence[Path]) -> None:
        schema = pq.read_schema(parquet_files[0])
        self.create_temporary(name, f"({', '.join(f'{field.name} {column_type(field.type)}' for field in schema)})")
        with named_errors():
            for path in parquet_files:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches():
                        copy_in(self._connection, name, batch)
        self.execute(f"analyze {name}")

    def append(self, table: Table, rows: pa.Table | pa.RecordBatch) -> None:
        with named_errors():
            copy_in(self._connection, table.qualified_name, rows)

    def append_temporary(self, name: str, rows: pa.Table) -> None:
        with named_errors():
            copy_in(self._connection, name, rows)

    def replace_slice(self, table: Table, value: Any, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
        return replace_slice(self, table, value, batches)

    def publish(self) -> str:
        """Nothing is copied: every stage commits whole, and people read as the role regulars_reader while nights run."""
        return f"database {self._connection.info.dbname} on {self._connection.info.host}, as regulars_reader"


@contextmanager
def lend_to_dbt(home: Home) -> Iterator[Lending]:
    """See `regulars.warehouse.lend_to_dbt`."""
    with _as_writer(home) as connection, named_errors():
        for (name,) in connection.execute(STALE).fetchall():
            connection.execute(f"analyze {name}")  # dbt's queries follow at once, before the server's own analysis
        address = address_of(home)
        libpq = {f"PG{name.upper()}": str(value) for name, value in address.items() if name.startswith("ssl")}
        environment = {
            "REGULARS_ENGINE": "postgres",
            "REGULARS_WAREHOUSE_URL": "",
            **{variable: str(address[name]) for name, variable in DBT_ADDRESS.items() if name in address},
            **libpq,
        }
        # The server frees the writer's place when the last process that has the connection open ends.
        yield Lending(environment, connection.fileno())


def _as_writer(home: Home) -> psycopg.Connection[Any]:
    connection = connect(home)
    try:
        with named_errors():
            take_writers_place(connection)
            if not is_prepared(connection):
                prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _bound(sql: str, parameters: Sequence[Any]) -> tuple[str, Sequence[Any] | None]:
    """The statement with psycopg's placeholders in place of `?`, outside of texts and comments."""
    if not parameters:
        return sql, None
    return TOKENS.sub(lambda found: "%s" if found[0] == "?" else found[0].replace("%", "%%"), sql), parameters


class _WholeNumbers(Loader):
    """Sums of whole numbers are numeric here; like DuckDB's they come back as int, amounts as Decimal."""

    def load(self, data: Any) -> Any:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else NumericLoader(1700).load(text)
