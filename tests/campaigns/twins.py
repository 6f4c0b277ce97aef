"""What a night leaves behind, in a form in which two nights can be compared."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from regulars.home import Home
from regulars.warehouse.duckdb import connect
from tests.referees.mailchimp import Audience

OF_AN_ATTEMPT = {
    # A push that was killed goes on with the plan of what remained, which has a hash of its own.
    "activation.syncs": ("plan_sha256",),
    # Features that were begun before a kill are not carried over from the night before, but computed whole.
    "control.as_of_dates": ("carried_from", "carried_known_until"),
}
"""Columns that tell of the attempt and not of its outcome."""

TABLES_OF_AN_ATTEMPT = ("intermediate.int_moved_customers",)

STATE = {
    "runs": "select run_id, kind, as_of_date, started_at, status from runs",
    "steps": "select run_id, step, status, exit_code from steps",
    "home_keys": "select name, value from home_keys",
    "control_arms": "select ids.value, segment, arm, assigned_on from control_arms, json_each(persons) as ids",
    "believed": """
        select destination, segment, customer_id, action from ledger_entries as entry
        where position = (
            select max(position) from ledger_entries as later
            where (later.destination, later.segment, later.customer_id) = (entry.destination, entry.segment, entry.customer_id)
        )
    """,
    "sent fields": "select destination, customer_id, content_hash from sent_contacts",
    "movements": "select distinct destination, as_of_date, segment, customer_id, action from ledger_entries",
    "refusals": "select destination, as_of_date, customer_id, reason from refusals",
    "sent_nights": "select destination, as_of_date from sent_nights",
    "waiting plans": "select destination, as_of_date from plans where status not in ('done', 'superseded')",
}
"""What the state must agree in. When and by which process a thing was done is the attempt's own."""

UNCOMPARED = ("logs", "dbt", "airflow", "spill", "damaged")
"""Folders of var/ that hold no results."""


def outcome(home: Home, audience: Audience) -> dict[str, Any]:
    """Everything that must be the same: lists, reports, tables of both warehouses, state, names of files, and the tool."""
    return {
        **{f"warehouse {name}": found for name, found in tables(home.warehouse).items()},
        **{f"published {name}": found for name, found in tables(home.published_warehouse).items()},
        **{f"state {name}": found for name, found in state(home).items()},
        **{f"list {name}": found for name, found in files(home.lists).items()},
        **{f"report {name}": found for name, found in files(home.reports).items()},
        "files": sorted(name for name in files(home.var) if name.split("/")[0] not in UNCOMPARED and not name.endswith((".lock", "-shm"))),
        **tool(audience),
    }


def tables(file: Path) -> dict[str, tuple[int, str]]:
    """Table → number of its rows, and a hash of them that does not depend on their order."""
    found = {}
    with connect(file, read_only=True) as database:
        for schema, name in database.execute("select schema_name, table_name from duckdb_tables() where not temporary").fetchall():
            if f"{schema}.{name}" in TABLES_OF_AN_ATTEMPT:
                continue
            left_out = OF_AN_ATTEMPT.get(f"{schema}.{name}", ())
            columns = f"* exclude ({', '.join(left_out)})" if left_out else "*"
            rows = [repr(row) for row in database.execute(f"select {columns} from {schema}.{name}").fetchall()]
            found[f"{schema}.{name}"] = (len(rows), _digest("\n".join(sorted(rows))))
    return found


def state(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(home.state)) as connection:
        return {name: sorted(connection.execute(sql).fetchall(), key=repr) for name, sql in STATE.items()}


def files(folder: Path) -> dict[str, str]:
    """Every file below the folder and the hash of its bytes; of a link, where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"→ {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = _digest(path.read_bytes())
    return found


def tool(audience: Audience) -> dict[str, Any]:
    """What the tool holds, consent included, and whether anything was done that never may be."""
    return {
        "tool's contacts": sorted((one.address, one.status, sorted(one.merge_fields.items())) for one in audience.contacts.values()),
        "tool's lists": sorted((name, sorted(members)) for name, members in audience.static_segments.values()),
        "tool's fields": audience.merge_fields,
        "tool's violations": audience.violations,
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]
