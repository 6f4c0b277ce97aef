"""A person's word on a plan that the guard stopped: by its hash, for 24 hours, written down with who said it."""

from __future__ import annotations

from typing import Literal

from regulars import clock
from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.state import State

Decision = Literal["approved", "refused"]

SHORTEST_HASH = 12


def decide(home: Home, plan_hash: str, decision: Decision, decided_by: str) -> str:
    """Approve or refuse the stopped plan whose SHA-256 begins with `plan_hash`; its whole hash.

    A refused plan waits no more; the next attempt of the night plans anew, and the guard judges again.

    Raises:
        ConfigurationError: no stopped plan has that hash, or the beginning does not tell it from another.
    """
    state = State(home.state)
    with state.transaction() as connection:
        stopped = {row["plan_sha256"]: row for row in connection.execute("select * from plans where status = 'stopped'")}
        found: list[str] = [sha256 for sha256 in stopped if sha256.startswith(plan_hash)]
        if len(plan_hash) < SHORTEST_HASH or len(found) != 1:
            waiting = "; ".join(f"{sha256} ({row['destination']}, {row['as_of_date']})" for sha256, row in sorted(stopped.items()))
            raise ConfigurationError(
                f"no single plan that waits for approval begins with {plan_hash!r} (at least {SHORTEST_HASH} characters); "
                f"expected one of: {waiting or 'none, as no plan waits; a plan that has changed since has another hash'}"
            )
        connection.execute(
            "insert or replace into decisions values (?, ?, ?, ?)", [found[0], clock.now().isoformat(), decision, decided_by]
        )
        if decision == "refused":
            connection.execute("update plans set status = 'refused' where plan_sha256 = ?", found)
    return found[0]
