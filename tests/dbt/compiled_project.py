"""The dbt project as the SQL that it compiles to, run in this process: a build in a fraction of dbt's start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import duckdb
import psycopg
import pyarrow

from regulars import tables
from regulars.warehouse.duckdb import COLUMN_TYPES
from regulars.warehouse.postgres_roles import COLUMN_TYPES as POSTGRES_TYPES
from tests.postgres_server import PostgresServer

DBT_PROJECT = Path(__file__).resolve().parents[2] / "dbt"
INPUTS = (*tables.CANONICAL_TABLES, tables.AS_OF_DATES, tables.PARAMETERS, tables.STAGED_ROWS)


@dataclass(frozen=True)
class Model:
    """A dbt model's table, quoted as dbt quotes it, and its query."""

    relation: str
    schema: str
    name: str
    sql: str


class Engine(Protocol):
    """Where the SQL runs: tables are filled, statements executed, rows read."""

    def execute(self, sql: str) -> None: ...

    def fill(self, table: tables.Table, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...


class InMemoryDuckDB:
    """Bears the name that the warehouse has in a home, as compiled SQL spells it out."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self.execute("attach ':memory:' as warehouse")
        self.execute("use warehouse")
        self.execute("set TimeZone = 'UTC'")
        for table in INPUTS:
            columns = ", ".join(f"{column.name} {COLUMN_TYPES[column.type]}" for column in table.columns)
            self.execute(f"create schema if not exists {table.schema}")
            self.execute(f"create table {table.qualified_name} ({columns})")

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def fill(self, table: tables.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        self.execute(f"delete from {table.qualified_name}")
        if rows:
            values = pyarrow.Table.from_pylist([{name: row.get(name) for name in table.column_names} for row in rows])
            self._connection.register("filling", values)
            self.execute(f"insert into {table.qualified_name} by name select * from filling")
            self._connection.unregister("filling")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


class OnPostgres:
    """A database of its own, in the administrator's hands."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        for table in INPUTS:
            columns = ", ".join(f"{column.name} {POSTGRES_TYPES[column.type]}" for column in table.columns)
            self.execute(f"create schema if not exists {table.schema}")
            self.execute(f"create table {table.qualified_name} ({columns})")

    def execute(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def fill(self, table: tables.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        self.execute(f"delete from {table.qualified_name}")
        names = table.column_names
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy {table.qualified_name} ({', '.join(names)}) from stdin".encode()) as copy,
        ):
            for row in rows:
                copy.write_row([row.get(name) for name in names])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode()).fetchall()


@contextmanager
def on_postgres(server: PostgresServer, folder: Path) -> Iterator[tuple[OnPostgres, CompiledProject]]:
    """A new database of the server, and the project as it compiles for it."""
    database = server.new_database().rpartition("/")[2]
    with psycopg.connect(host=str(server.socket), port=server.port, user="postgres", dbname=database, autocommit=True) as connection:
        engine = OnPostgres(connection)
        address = {
            "REGULARS_ENGINE": "postgres",
            "REGULARS_POSTGRES_PORT": str(server.port),
            "REGULARS_POSTGRES_USER": "regulars",
            "DBT_ENV_SECRET_REGULARS_POSTGRES_PASSWORD": server.password,
            "REGULARS_POSTGRES_DATABASE": database,
        }
        yield engine, compiled(address, folder)


def compiled(address: Mapping[str, str], folder: Path, wanted: str = "customer_features") -> CompiledProject:
    """What dbt, in a process of its own, compiles for a warehouse at the address: the model that is wanted and all before it."""
    environment = os.environ | {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "DO_NOT_TRACK": "1"} | dict(address)
    command = [sys.executable, "-m", "dbt.cli.main", "compile", "--quiet", "--select", f"+{wanted}"]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    nodes = json.loads((folder / "manifest.json").read_text())["nodes"].values()
    return CompiledProject(models_for([SimpleNamespace(**node) for node in nodes if node["resource_type"] == "model"], wanted))


class CompiledProject:
    """Models in the order in which they depend on each other."""

    def __init__(self, models: Iterable[Model]):
        self.models = tuple(models)

    def build(self, engine: Engine) -> None:
        """Build every model as a table from what stands in the engine's raw and control tables."""
        for model in self.models:
            engine.execute(f"create schema if not exists {model.schema}")
            engine.execute(f"drop table if exists {model.relation}")
            engine.execute(f"create table {model.relation} as {model.sql}")

    def with_sql(self, number: int, sql: str) -> CompiledProject:
        """The project with other SQL for one of its models."""
        return CompiledProject([*self.models[:number], replace(self.models[number], sql=sql), *self.models[number + 1 :]])

    def replaced(self, pattern: str, text: str) -> CompiledProject:
        """The project with a piece of its SQL replaced wherever it stands."""
        return CompiledProject(replace(model, sql=re.sub(pattern, text, model.sql)) for model in self.models)


def models_for(compiled_nodes: Iterable[Any], wanted: str) -> list[Model]:
    """The compiled models that `wanted` is made from, and itself."""
    nodes = {node.unique_id: node for node in compiled_nodes}
    needed: dict[str, Any] = {}

    def need(unique_id: str) -> None:
        if unique_id in nodes and unique_id not in needed:
            depends_on = nodes[unique_id].depends_on
            for parent in depends_on["nodes"] if isinstance(depends_on, dict) else depends_on.nodes:
                need(parent)
            needed[unique_id] = nodes[unique_id]

    need(f"model.regulars.{wanted}")
    return [Model(node.relation_name, node.schema, node.name, node.compiled_code) for node in needed.values()]
