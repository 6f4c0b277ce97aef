"""Approval of a plan that the guard stopped: by its hash, for 24 hours."""

from __future__ import annotations

from regulars import clock
from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.state import State

SHORTEST_HASH = 12


def approve(home: Home, plan_hash: str) -> str:
    """Approve the stopped plan whose SHA-256 begins with `plan_hash`; its whole hash.

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
        connection.execute("insert or replace into approvals values (?, ?)", [found[0], clock.now().isoformat()])
    return found[0]
