"""The copy of the warehouse that people query: whole and switched in, and made from the last one where that still holds.

Most of it are the slices of nights that are past. They are read and held against the copy, which costs little; to write and to
compress them again each night is what would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from regulars.literal import literal
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_REASONS, CUSTOMER_SCORES, NEXT_PRODUCTS, all_tables
from regulars.warehouse.compression import declared
from regulars.warehouse.file_copy import copy_file

UNPUBLISHED_SCHEMAS = ("private", "raw", "staging", "intermediate", "information_schema", "pg_catalog")
KEPT_FOR_SOME_NIGHTS = [table.qualified_name for table in (CUSTOMER_FEATURES, CUSTOMER_REASONS, NEXT_PRODUCTS)]
SLICES = {table.qualified_name: table.slice_by for table in all_tables() if table.slice_by}

COLUMNS = """
select concat(schema_name, '.', table_name), list((column_name, data_type) order by column_index)
from duckdb_columns() semi join duckdb_tables() using (database_name, schema_name, table_name)
where database_name = {} group by 1 order by 1
"""

Columns = dict[str, Any]
"""Name of a table → its columns and their types."""


@dataclass(frozen=True)
class Moved:
    """Slices of a table that the copy lacks, and those that it alone has."""

    missing: Sequence[Any]
    gone: Sequence[Any]


def publish(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Make `target` hold every table that people may see, as it stands in the connection's database."""
    aside = target.with_suffix(".new")
    aside.unlink(missing_ok=True)
    if target.exists():
        copy_file(target, aside)
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

    Of such a copy nothing is kept: what is deleted from a file may be read from its bytes for long. What has only grown old is
    deleted all the same: a night would write that of a week anew.
    """
    connection.execute(f"attach {literal(str(file))} as published")
    try:
        own, published = _columns(connection, "current_database()"), _columns(connection, "'published'")
        own = {name: columns for name, columns in own.items() if name.split(".")[0] not in UNPUBLISHED_SCHEMAS}
        if any(own.get(name) != columns for name, columns in published.items()):
            return False
        moved = {name: _moved_slices(connection, name) for name in published if name in SLICES}
        if None in moved.values():
            return False
        for name in own:
            slices = moved.get(name)
            if slices is None:
                connection.execute(f"create schema if not exists published.{name.split('.')[0]}")
                columns = ", ".join(declared(f'"{column}"', type) for column, type in own[name])
                connection.execute(f"create or replace table published.{name} ({columns})")
                connection.execute(f"insert into published.{name} select * from {name}")
            else:
                _in_slices(connection, f"delete from published.{name}", name, slices.gone)
                _in_slices(connection, f"insert into published.{name} select * from {name}", name, slices.missing)
        return True
    finally:
        with suppress(duckdb.Error):
            connection.execute("detach published")


def _columns(connection: duckdb.DuckDBPyConnection, database: str) -> Columns:
    return dict(connection.execute(COLUMNS.format(database)).fetchall())


def _in_slices(connection: duckdb.DuckDBPyConnection, statement: str, name: str, values: Sequence[Any]) -> None:
    if values:
        connection.execute(f"{statement} where {SLICES[name]} in ({', '.join('?' for _ in values)})", list(values))


def _moved_slices(connection: duckdb.DuckDBPyConnection, name: str) -> Moved | None:
    """None when a slice that the copy has is another one, or one is gone that holds what nothing else does."""

    def slices(table: str) -> dict[Any, tuple[int, int]]:
        sql = f"select {SLICES[name]}, count(*), sum(hash(rows)) from {table} as rows group by 1"
        return {value: (count, total) for value, count, total in connection.execute(sql).fetchall()}

    own, published = slices(name), slices(f"published.{name}")
    gone = sorted(published.keys() - own.keys())
    if any(own[value] != found for value, found in published.items() if value in own) or not _may_go(connection, name, gone):
        return None
    return Moved(sorted(own.keys() - published.keys()), gone)


def _may_go(connection: duckdb.DuckDBPyConnection, name: str, gone: Sequence[date]) -> bool:
    """What only the latest nights keep: of the customers of an older one its scores still tell, so nobody was erased with it."""
    if not gone or name not in KEPT_FOR_SOME_NIGHTS:
        return not gone
    scored = connection.execute(f"select distinct as_of_date from {CUSTOMER_SCORES.qualified_name}").fetchall()
    return set(gone) <= {as_of for (as_of,) in scored}
