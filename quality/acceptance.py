"""A person's word that what a gate found is right: by the hash of what was found, for that night alone.

What was accepted passes, so that the night becomes the measure of the next ones. Other findings have another hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date

from quality.rule import Finding
from regulars import clock
from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.state import State

SHORTEST_HASH = 12


def findings_hash(gate: str, as_of: date, broken: Sequence[Finding]) -> str:
    """SHA-256 over what was found; the same findings again have the same."""
    found = sorted([*finding.rule.key, finding.seen()] for finding in broken)
    return hashlib.sha256(json.dumps([gate, as_of.isoformat(), found]).encode()).hexdigest()


def note_stop(state: State, gate: str, as_of: date, sha256: str) -> None:
    """Write down that the gate stopped the night with these findings, so that they can be accepted."""
    with state.transaction() as connection:
        connection.execute("insert or ignore into gate_stops values (?, ?, ?, null)", [sha256, gate, as_of.isoformat()])


def is_accepted(state: State, sha256: str) -> bool:
    with state.connection() as connection:
        rows = connection.execute("select 1 from gate_stops where findings_sha256 = ? and accepted_at is not null", [sha256])
        return rows.fetchone() is not None


def accept(home: Home, beginning: str) -> str:
    """Accept the findings whose SHA-256 begins so; in words what was accepted.

    Raises:
        ConfigurationError: no gate stopped with such findings, or the beginning does not tell them from others.
    """
    with State(home.state).transaction() as connection:
        stops = connection.execute("select * from gate_stops order by as_of_date, gate").fetchall()
        found = [stop for stop in stops if stop["findings_sha256"].startswith(beginning)]
        if len(beginning) < SHORTEST_HASH or len(found) != 1:
            open_stops = [stop for stop in stops if stop["accepted_at"] is None]
            waiting = "; ".join(f"{stop['findings_sha256']} ({stop['gate']}, {stop['as_of_date']})" for stop in open_stops)
            raise ConfigurationError(
                f"no single stop of a gate begins with {beginning!r} (at least {SHORTEST_HASH} characters); "
                f"expected one of: {waiting or 'none, as no gate has stopped a night with findings that a person may accept'}"
            )
        values = [clock.now().isoformat(), found[0]["findings_sha256"]]
        connection.execute("update gate_stops set accepted_at = ? where findings_sha256 = ?", values)
    return f"the findings of the gate {found[0]['gate']} on {found[0]['as_of_date']}"
