"""The dbt project as the SQL that it compiles to, run in this process: a build in a fraction of dbt's start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import duckdb
import pyarrow

from regulars import tables
from regulars.warehouse.duckdb import COLUMN_TYPES

INPUTS = (*tables.CANONICAL_TABLES, tables.AS_OF_DATES, tables.PARAMETERS)


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

    def replaced(self, pattern: str, text: str) -> CompiledProject:
        """The project with a piece of its SQL replaced wherever it stands."""
        return CompiledProject(replace(model, sql=re.sub(pattern, text, model.sql)) for model in self.models)


def models_for(results: Iterable[Any], wanted: str) -> list[Model]:
    """The compiled models that `wanted` is made from, and itself, from the results of `dbt compile`."""
    nodes = {result.node.unique_id: result.node for result in results if result.node.resource_type == "model"}
    needed: dict[str, Any] = {}

    def need(unique_id: str) -> None:
        if unique_id in nodes and unique_id not in needed:
            for parent in nodes[unique_id].depends_on.nodes:
                need(parent)
            needed[unique_id] = nodes[unique_id]

    need(f"model.regulars.{wanted}")
    return [Model(node.relation_name, node.schema, node.name, node.compiled_code) for node in needed.values()]
