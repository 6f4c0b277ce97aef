"""The copy of the warehouse that people query: whole and switched in, and made from the last one where that still holds.

Most of it are the slices of nights that are past. They are read and held against the copy, which costs little; to write and to
compress them again each night is what would cost.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from regulars.literal import literal
from regulars.tables import all_tables
from regulars.warehouse.compression import declared

UNPUBLISHED_SCHEMAS = ("private", "raw", "staging", "intermediate", "information_schema", "pg_catalog")
SLICES = {table.qualified_name: table.slice_by for table in all_tables() if table.slice_by}

COLUMNS = """
select concat(schema_name, '.', table_name), list((column_name, data_type) order by column_index)
from duckdb_columns() semi join duckdb_tables() using (database_name, schema_name, table_name)
where database_name = {} group by 1 order by 1
"""

Columns = dict[str, Any]
"""Name of a table → its columns and their types."""


def publish(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Make `target` hold every table that people may see, as it stands in the connection's database."""
    aside = target.with_suffix(".new")
    aside.unlink(missing_ok=True)
    if target.exists():
        shutil.copyfile(target, aside)
    try:
        is_complete = aside.exists() and _write(connection, aside)
    except duckdb.Error:  # the last copy is damaged, and nobody needs it
        is_complete = False
    if not is_complete:
        aside.unlink(missing_ok=True)
        _write(connection, aside)
    aside.chmod(0o600)
    aside.replace(target)


def _write(connection: duckdb.DuckDBPyConnection, file: Path) -> bool:
    """Bring the file, new or the last copy, up to date; False where that holds what has been changed or is no more.

    Of such a copy nothing is kept: what is deleted from a file may be read from its bytes for long.
    """
    connection.execute(f"attach {literal(str(file))} as published")
    try:
        own, published = _columns(connection, "current_database()"), _columns(connection, "'published'")
        own = {name: columns for name, columns in own.items() if name.split(".")[0] not in UNPUBLISHED_SCHEMAS}
        if any(own.get(name) != columns for name, columns in published.items()):
            return False
        missing = {name: _missing_slices(connection, name) for name in published if name in SLICES}
        if None in missing.values():
            return False
        for name in own:
            slices = missing.get(name)
            if slices is None:
                connection.execute(f"create schema if not exists published.{name.split('.')[0]}")
                columns = ", ".join(declared(f'"{column}"', type) for column, type in own[name])
                connection.execute(f"create or replace table published.{name} ({columns})")
                connection.execute(f"insert into published.{name} select * from {name}")
            elif slices:
                places = ", ".join("?" for _ in slices)
                connection.execute(f"insert into published.{name} select * from {name} where {SLICES[name]} in ({places})", slices)
        return True
    finally:
        with suppress(duckdb.Error):
            connection.execute("detach published")


def _columns(connection: duckdb.DuckDBPyConnection, database: str) -> Columns:
    return dict(connection.execute(COLUMNS.format(database)).fetchall())


def _missing_slices(connection: duckdb.DuckDBPyConnection, name: str) -> Sequence[Any] | None:
    """Slices of the table that the copy lacks; None when one that it has is another."""

    def slices(table: str) -> dict[Any, tuple[int, int]]:
        sql = f"select {SLICES[name]}, count(*), sum(hash(rows)) from {table} as rows group by 1"
        return {value: (count, total) for value, count, total in connection.execute(sql).fetchall()}

    own, published = slices(name), slices(f"published.{name}")
    if any(own.get(value) != found for value, found in published.items()):
        return None
    return sorted(own.keys() - published.keys())
