"""How Regulars reaches a Postgres server: its address, its errors in words that hold no data, and the writer's place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import conninfo

from regulars.errors import ConfigurationError, RegularsError, TryAgain
from regulars.home import Home
from regulars.warehouse.warehouse import Role

ADDRESS_VARIABLE = "REGULARS_WAREHOUSE_URL"
WRITER_WAIT_SECONDS = 60.0
WRITER_PLACE = int.from_bytes(b"Regulars")
"""Key of the advisory lock; such locks belong to one database."""

TRANSIENT = ("08", "40", "53", "55P03", "57P", "58030")
"""Beginnings of the SQLSTATEs after which the same command may succeed: connection, conflict, resources, shutdown."""
TOLD = ("42501", "42883", "42P01", "42703", "42704", "3F000", "22023")
"""SQLSTATEs whose message holds names of roles, tables, columns and types, and no values."""


class WarehouseError(RegularsError):
    """The server refused a statement. Its own message may quote values, so only its kind is told."""


def address_of(home: Home) -> dict[str, Any]:
    """The parts of the server's address, such as host and dbname.

    Raises:
        ConfigurationError: there is none, or it cannot be read.
    """
    url = home.warehouse_url or os.environ.get(ADDRESS_VARIABLE, "")
    file = home.warehouse_configuration
    if not url:
        raise ConfigurationError(
            f"the warehouse is on a Postgres server, and nobody said where: set {ADDRESS_VARIABLE} to "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or name an Airflow connection under `connection`",
            file=file,
            key="engine",
        )
    try:
        return dict(conninfo.conninfo_to_dict(url))
    except psycopg.Error:  # which quotes the address, and with it the password
        raise ConfigurationError(
            f"the address of the warehouse cannot be read; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE in {ADDRESS_VARIABLE}, "
            "or in the Airflow connection",
            file=file,
        ) from None


def connect(home: Home, *, read_only: bool = False) -> psycopg.Connection[Any]:
    """A connection in UTC, of the login itself; statements commit one by one unless a transaction is opened.

    Raises:
        ConfigurationError: the server does not let us in.
        TryAgain: the server does not answer.
    """
    address = address_of(home)
    place = f"{address.get('user', '')}@{address.get('host', 'localhost')}:{address.get('port', 5432)}/{address.get('dbname', '')}"
    try:
        # Values stand in the statement, as DuckDB's would: a placeholder then needs no type, and COPY takes parameters.
        connection: psycopg.Connection[Any] = psycopg.connect(
            **{"connect_timeout": 10, "application_name": f"regulars, process {os.getpid()}", **address},
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
        )
    except psycopg.OperationalError as error:
        state = error.sqlstate or ""
        if state[:2] in ("28", "3D") or "authentication failed" in str(error) or "does not exist" in str(error):
            raise ConfigurationError(
                f"the Postgres server does not let us in as {place}: check user, password and database in {ADDRESS_VARIABLE}"
            ) from None
        raise TryAgain(f"the Postgres server does not answer at {place}; is it running, and reachable from here?") from None
    try:
        with named_errors():
            connection.execute("set timezone = 'UTC'; set search_path = ''; set client_encoding = 'UTF8'")
            # A statement whose process was killed ends soon, and with it the writer's place.
            connection.execute("set client_connection_check_interval = '5s'")
            if read_only:
                connection.execute("set default_transaction_read_only = on")
    except BaseException:
        connection.close()
        raise
    return connection


def become(connection: psycopg.Connection[Any], role: Role | None) -> None:
    """Work with the rights of the role from now on; of the login itself when it is None.

    Raises:
        ConfigurationError: there is no such role, or the login is no member of it.
    """
    if role is None:
        return
    try:
        connection.execute(f"set role regulars_{role}")
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege):
        raise ConfigurationError(
            f"the login of {ADDRESS_VARIABLE} may not work as the role regulars_{role}, or there is no such role: "
            "let an administrator of the server run what `python -m regulars warehouse-roles` prints"
        ) from None


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        if isinstance(error, psycopg.OperationalError) and (not state or state.startswith(TRANSIENT)):
            raise TryAgain(f"the Postgres server broke off ({state or 'connection lost'}); nothing is half written, try again") from None
        told = f": {error.diag.message_primary}" if state in TOLD and error.diag.message_primary else ""
        where = ".".join(part for part in (error.diag.schema_name, error.diag.table_name, error.diag.column_name) if part)
        raise WarehouseError(
            f"the Postgres server refused a statement{f' on {where}' if where else ''} ({type(error).__name__}, SQLSTATE {state}){told}"
        ) from None


def take_writers_place(connection: psycopg.Connection[Any]) -> None:
    """Be the one writer of this database until the connection ends, as with DuckDB's file.

    Raises:
        TryAgain: another process still is after `WRITER_WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WRITER_WAIT_SECONDS
    while not _number(connection, "select cast(pg_try_advisory_lock(%s) as integer)"):
        if time.monotonic() >= deadline:
            holder = connection.execute(
                """
                select activity.application_name from pg_locks as locks
                inner join pg_stat_activity as activity on locks.pid = activity.pid
                where locks.locktype = 'advisory' and locks.granted
                    and (locks.classid::bigint << 32) + locks.objid::bigint = %s
                """,
                [WRITER_PLACE],
            ).fetchone()
            held_by = (holder[0] if holder else None) or "another process"
            raise TryAgain(f"the warehouse is in use by {held_by}; wait for it, then try again")
        time.sleep(0.05)


def _number(connection: psycopg.Connection[Any], sql: str) -> int:
    row = connection.execute(sql, [WRITER_PLACE]).fetchone()
    return int(row[0]) if row else 0
