"""The state: small, transactional, and never rewound with a restored warehouse.

Runs and their steps, plans, the ledger, decisions on plans and control-group arms. SQLite in write-ahead mode with full
synchronisation: what was committed survives a crash of the machine.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

SCHEMA = """
create table if not exists runs (
    run_id text primary key,
    kind text not null,                  -- night, training or rebuild
    as_of_date text not null,
    started_at text not null,            -- UTC; stands as known_at on every fact that the run learns
    status text not null,                -- open, done, failed, or rewound: open, and to begin anew
    worker text not null,                -- process that last worked for it, see regulars.run
    touched_at real not null             -- seconds since the epoch; when it last did
);
create table if not exists steps (
    run_id text not null,
    step text not null,
    status text not null,                -- running, done or failed
    seconds real,
    summary text,                        -- what was done, or the error
    exit_code integer,
    worker text not null,                -- process that works at it
    primary key (run_id, step)
);
create table if not exists home_keys (
    name text primary key,
    value text not null                  -- such as the salt of the control-group hash; never changes
);
create table if not exists control_arms (
    segment text not null,
    arm text not null check (arm in ('treatment', 'control')),
    assigned_on text not null,           -- as_of of first sight
    persons text not null                -- customer_ids, see regulars.id_lists; nobody stands twice in a segment
);
create table if not exists plans (
    plan_sha256 text primary key,
    destination text not null,
    as_of_date text not null,
    body text not null,                  -- JSON of customer_ids and their fields' hashes; no personal data
    status text not null                 -- planned, pushing, done, stopped, refused or superseded
);
create table if not exists ledger (
    position integer primary key autoincrement,
    destination text not null,
    segment text not null,
    action text not null check (action in ('enter', 'leave')),
    plan_sha256 text not null,
    as_of_date text not null,
    customers_count integer not null,
    customer_ids text not null           -- whom one call put on the list or took off it, see regulars.id_lists
);
create index if not exists ledger_by_night on ledger (destination, as_of_date);
create view if not exists ledger_entries as
    select position, destination, segment, ids.value as customer_id, action, plan_sha256, as_of_date
    from ledger, json_each(ledger.customer_ids) as ids;
create table if not exists sent_contacts (
    destination text not null,
    customer_id text not null,
    content_hash text not null,          -- of the fields sent last, so that an unchanged contact is not sent again
    plan_sha256 text not null,
    as_of_date text not null,
    primary key (destination, customer_id)
) without rowid;
create table if not exists decisions (
    plan_sha256 text not null,           -- a plan that the guard stopped
    decided_at text not null,            -- UTC; an approved plan may be pushed for 24 hours from here
    decision text not null check (decision in ('approved', 'refused')),
    decided_by text not null,            -- who, and where: on the command line or in Airflow
    primary key (plan_sha256, decided_at)
);
create table if not exists pins (
    destination text primary key,
    target text not null                 -- JSON: account, audience and its name, as read back at the first approved sync
);
create table if not exists tool_lists (
    destination text not null,
    segment text not null,
    title text not null,                 -- that the list bears in the tool, where it stays when the segment goes
    channel text not null,
    primary key (destination, segment, title)
);
create table if not exists gate_stops (
    findings_sha256 text primary key,    -- of what a gate found, on a night that it stopped
    gate text not null,
    as_of_date text not null,
    accepted_at text                     -- UTC; when a person said that it is right; null until then
);
create table if not exists refusals (
    destination text not null,
    as_of_date text not null,
    customer_id text not null,
    reason text not null,                -- why the tool refused the contact; tried again the next night
    primary key (destination, as_of_date, customer_id)
);
create table if not exists sent_nights (
    destination text not null,
    as_of_date text not null,
    plan_sha256 text not null,
    primary key (destination, as_of_date)
);
"""

ROWS_OF_ONE_CUSTOMER = """
begin immediate;
alter table ledger rename to former_ledger;
alter table control_arms rename to former_control_arms;
"""
INTO_LISTS = """
insert into ledger (destination, segment, action, plan_sha256, as_of_date, customers_count, customer_ids)
select destination, segment, action, plan_sha256, as_of_date, count(*), json_group_array(customer_id)
from former_ledger where action <> 'update'
group by destination, segment, action, plan_sha256, as_of_date order by min(position);
insert or replace into sent_contacts
select destination, customer_id, content_hash, plan_sha256, as_of_date from former_ledger where action = 'update' order by position;
insert into control_arms select segment, arm, assigned_on, json_group_array(person) from former_control_arms group by 1, 2, 3;
drop table former_ledger;
drop table former_control_arms;
commit;
"""
"""An early state, which had a row for each customer, before and after the present tables are made: one transaction."""


def home_key(connection: sqlite3.Connection, name: str) -> str:
    """A random key of the home's own, made at first need and never changed."""
    row = connection.execute("select value from home_keys where name = ?", [name]).fetchone()
    if row is not None:
        return str(row["value"])
    key = secrets.token_hex(16)
    connection.execute("insert into home_keys values (?, ?)", [name, key])
    return key


class State:
    """The state database of a home, opened for one short piece of work at a time."""

    def __init__(self, file: Path):
        self._file = file
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.connection() as connection:
            connection.execute("pragma journal_mode = wal")
            self._bring_up_to_date(connection)
        file.chmod(0o600)

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        is_early = connection.execute("select 1 from pragma_table_info('ledger') where name = 'customer_id'").fetchone() is not None
        connection.executescript(ROWS_OF_ONE_CUSTOMER + SCHEMA + INTO_LISTS if is_early else SCHEMA)

    def latest_sent(self) -> date | None:
        """The latest as_of that any destination of the home was sent. Nights before it are past: they send nothing any more."""
        with self.connection() as connection:
            latest = connection.execute("select max(as_of_date) from sent_nights").fetchone()[0]
        return date.fromisoformat(latest) if latest else None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection on which every statement commits by itself."""
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma synchronous = full")
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that begins with the write lock: commits at the end, rolls back on any error."""
        with self.connection() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
