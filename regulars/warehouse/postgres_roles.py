"""Who may do what in a warehouse on Postgres: one login of the shop, and a role for each kind of work.

The login owns the database and the tables that Python writes, inherits nothing, and becomes the role of the stage that it
works for. dbt's tables belong to the builder, who lets the others read them (`after_build` in dbt/macros/engine.sql).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, get_args

import psycopg

from regulars.errors import ConfigurationError
from regulars.tables import ColumnType, Table, all_tables
from regulars.warehouse.warehouse import Role

COLUMN_TYPES: dict[ColumnType, str] = {
    "text": "text",
    "integer": "bigint",
    "double": "double precision",
    "amount": "numeric(18, 4)",
    "timestamp": "timestamp",
    "date": "date",
    "boolean": "boolean",
    "bytes": "bytea",
}
ROLES: tuple[Role, ...] = get_args(Role)
WRITERS: dict[str, Role] = {
    "ingestion": "loader",
    "regulars": "builder",
    "quality": "scorer",
    "models": "scorer",
    "scoring": "scorer",
    "activation": "activator",
}
"""The role of each stage that writes tables, by the name that their contracts give it."""

DBT_SCHEMAS = ("private", "staging", "intermediate", "features", "quality")
FENCED = {"private": {"loader", "builder", "activator"}}
"""Who may look into a schema that is closed to the rest."""
FENCED_READERS: dict[str, set[Role]] = {"private.customers": {"builder"}, "private.quarantine": set()}
"""Who reads a table there beside its writer. The activator reads dbt's private.stg_customers, and nothing else."""
NOTES: dict[tuple[str, str], Role] = {
    ("control.nights", "model_version"): "scorer",
    ("control.nights", "scored_because"): "scorer",
    ("control.nights", "config_hash"): "scorer",
    ("control.nights", "ledger_position"): "activator",
    ("control.nights", "contacts_known_until"): "activator",
    ("control.builds", "fingerprint"): "loader",
}
"""Columns that another stage than the table's own fills in."""


def roles_sql(login: str, database: str) -> str:
    """What an administrator runs once, with psql: the roles, the login without a password, and the database."""
    roles = ", ".join(f"regulars_{role}" for role in ROLES)
    lines = [f"select 'create role regulars_{role} nologin' where to_regrole('regulars_{role}') is null \\gexec" for role in ROLES]
    return "\n".join(
        [
            "-- For an administrator of the server: psql --dbname=postgres. It may run again.",
            *lines,
            f"select 'create role {login} login noinherit' where to_regrole('{login}') is null \\gexec",
            "grant regulars_builder, regulars_scorer, regulars_activator to regulars_rebuilder;",
            f"grant {roles} to {login};",
            f"grant {login} to current_user;",
            "-- The locale C compares texts byte by byte, as DuckDB does: the lists are then the same.",
            f"select 'create database {database} owner {login} template template0 encoding ''UTF8'' locale ''C'''",
            f"where not exists (select from pg_database where datname = '{database}') \\gexec",
            f"revoke all on database {database} from public;",
            f"grant connect on database {database} to regulars_reader;",
            f"grant temporary on database {database} to {roles};",
            f"-- Then give the login its password: \\password {login}",
            "",
        ]
    )


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the schemas, the tables that Python writes and everybody's rights, when they are not as this version wants them.

    The connection is the login's own, and in the writer's place.

    Raises:
        ConfigurationError: the database compares texts otherwise than DuckDB.
    """
    if connection.execute("select 'B' < 'a' and 'z' < 'ä' and current_setting('server_encoding') = 'UTF8'").fetchone() != (True,):
        raise ConfigurationError(
            "the database sorts texts by the rules of a language, or is not in UTF8; expected locale C and UTF8: "
            "make it as `python -m regulars warehouse-roles` prints it"
        )
    with connection.transaction():
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"comment on schema control is '{_fingerprint()}'")


def is_prepared(connection: psycopg.Connection[Any]) -> bool:
    """Whether `prepare` of this very version has run."""
    row = connection.execute("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'control'").fetchone()
    return row is not None and row[0] == _fingerprint()


def _fingerprint() -> str:
    return hashlib.sha256("\n".join(_statements()).encode()).hexdigest()


def _statements() -> Iterator[str]:
    tables = [table for table in all_tables() if table.written_by != "dbt"]
    for schema in dict.fromkeys([*(table.schema for table in tables), *DBT_SCHEMAS]):
        yield f"create schema if not exists {schema}"
        for role in ROLES:
            if role in FENCED.get(schema, set(ROLES)):
                yield f"grant usage on schema {schema} to regulars_{role}"
    for schema in DBT_SCHEMAS:
        yield f"grant create on schema {schema} to regulars_builder"
    for table in tables:
        yield from _table(table)
        writer = WRITERS[table.written_by]
        yield f"grant select, insert, update, delete on {table.qualified_name} to regulars_{writer}"
        readers = FENCED_READERS.get(table.qualified_name, set()) if table.schema in FENCED else set(ROLES)
        for role in ROLES:
            if role in readers - {writer}:
                yield f"grant select on {table.qualified_name} to regulars_{role}"
    for (name, column), role in NOTES.items():
        yield f"grant update ({column}) on {name} to regulars_{role}"


def _table(table: Table) -> Iterator[str]:
    columns = ", ".join(f"{c.name} {COLUMN_TYPES[c.type]}{'' if c.nullable else ' not null'}" for c in table.columns)
    yield f"create table if not exists {table.qualified_name} ({columns})"
    for column in table.columns:
        if column.nullable:  # a warehouse of an earlier version gets the columns that the contract has gained since
            yield f"alter table {table.qualified_name} add column if not exists {column.name} {COLUMN_TYPES[column.type]}"
    if table.slice_by:
        yield f"create index if not exists {table.name}_{table.slice_by} on {table.qualified_name} ({table.slice_by})"
