"""What was sent where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from regulars.state import State
from regulars.tables import SYNCS
from regulars.warehouse import Warehouse


@dataclass(frozen=True)
class Sync:
    """What the sync of one segment into one destination changed there."""

    destination: str
    segment: str
    customers_count: int
    entered_count: int
    left_count: int
    held_back_count: int
    rejected_count: int


def load_syncs(warehouse: Warehouse, as_of: date) -> list[Sync]:
    """The night's syncs by destination and segment."""
    rows = warehouse.rows(
        f"""
        select destination, segment, customers_count, entered_count, left_count, held_back_count, rejected_count
        from {SYNCS.qualified_name} where as_of_date = ? order by destination, segment
        """,
        [as_of],
    )
    return [Sync(*row) for row in rows]


def nothing_changed(syncs: Sequence[Sync]) -> bool:
    """Whether no list moved on the night, over all attempts to send it."""
    return bool(syncs) and not any(sync.entered_count or sync.left_count for sync in syncs)


def last_push_changed_nothing(state: State, as_of: date) -> bool:
    """Whether the last push of the night found every list as the night wants it, as a repeated night does.

    The syncs count the whole night; the ledger knows which plan moved whom.
    """
    with state.connection() as connection:
        pushed = connection.execute("select count(*) from sent_nights where as_of_date = ?", [as_of.isoformat()]).fetchone()[0]
        moved = connection.execute(
            """
            select count(*) from ledger
            inner join sent_nights on ledger.destination = sent_nights.destination and ledger.plan_sha256 = sent_nights.plan_sha256
            where sent_nights.as_of_date = ?
            """,
            [as_of.isoformat()],
        ).fetchone()[0]
    return bool(pushed) and not moved
