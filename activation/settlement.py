"""After a push: the ledger says what was read back, and the report is told what the night changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from activation.destination import Action
from activation.ledger import Ledger
from activation.plan import Plan
from regulars.nights import FILES_OF_A_RUN
from regulars.run import Run
from regulars.tables import NIGHTS, SYNCS
from regulars.warehouse import open_warehouse

CUSTOMERS_SHOWN = 50
LIST_KEYS = ["segment", "customer_id"]


def correct_beliefs(ledger: Ledger, plan: Plan, after: Plan) -> None:
    """Make the ledger say what was read back: a push that died may have done more than it could write down."""
    segments = pa.array([one.segment for one in plan.figures], pa.string())
    believed = ledger.believed()
    believed = believed.filter(pc.is_in(believed["segment"], segments))
    missed: tuple[tuple[Action, pa.Table], ...] = (
        ("enter", after.standing.join(believed, LIST_KEYS, join_type="left anti")),
        ("leave", believed.join(after.standing, LIST_KEYS, join_type="left anti")),
    )
    for action, pairs in missed:
        for segment in pc.unique(pairs["segment"]).to_pylist():
            customers = pairs.filter(pc.equal(pairs["segment"], segment)).sort_by("customer_id")["customer_id"]
            rows = pa.table({"customer_id": customers, "content_hash": pa.array([""] * len(customers), pa.string())})
            ledger.record(plan, action, segment, rows, {})


def write_syncs(run: Run, ledger: Ledger, plan: Plan, after: Plan) -> None:
    """Replace this destination's rows of the night in `activation.syncs`: the whole night, over all attempts to send it."""
    moved = ledger.movements(run.as_of)
    rows = [
        {
            "as_of_date": run.as_of,
            "destination": plan.destination,
            "segment": one.segment,
            "plan_sha256": plan.sha256,
            "customers_count": one.current,
            "entered_count": moved.get((one.segment, "enter"), 0),
            "left_count": moved.get((one.segment, "leave"), 0),
            "held_back_count": one.held_back,
            "rejected_count": one.refused,
        }
        for one in after.figures
    ]
    with open_warehouse(run.home, role="activator") as warehouse, warehouse.transaction():
        warehouse.execute(f"delete from {SYNCS.qualified_name} where as_of_date = ? and destination = ?", [run.as_of, plan.destination])
        if rows:
            warehouse.append(SYNCS, pa.Table.from_pylist(rows))


def note_ledger_position(run: Run, ledger: Ledger) -> None:
    """Write down, once a night, how far the ledger went when the night was first planned."""
    with open_warehouse(run.home, role="activator") as warehouse:
        warehouse.execute(
            f"update {NIGHTS.qualified_name} set ledger_position = ? where as_of_date = ? and ledger_position is null",
            [ledger.position(), run.as_of],
        )


def note_contacts(run: Run) -> None:
    """Write down until when consents and addresses count for the night's lists: all that was learned before this run ends."""
    with open_warehouse(run.home, role="activator") as warehouse:
        warehouse.execute(
            f"update {NIGHTS.qualified_name} set contacts_known_until = ? where as_of_date = ?", [run.known_at + FILES_OF_A_RUN, run.as_of]
        )


def rest_in_words(after: Plan) -> str:
    """What still differs: exactly which customers, by customer_id; of a long rest the first."""
    parts = []
    changes = after.changes
    for words, table in (("enter", changes.enter), ("leave", changes.leave)):
        for segment in pc.unique(table["segment"]).to_pylist():
            parts.append(_named(f"{words} {segment}", table.filter(pc.equal(table["segment"], segment))["customer_id"].to_pylist()))
    if changes.update.num_rows:
        parts.append(_named("update", changes.update["customer_id"].to_pylist()))
    return "; ".join(parts)


def _named(what: str, customers: list[str]) -> str:
    more = f" and {len(customers) - CUSTOMERS_SHOWN:,} more" if len(customers) > CUSTOMERS_SHOWN else ""
    return f"{what}: {len(customers):,} ({', '.join(customers[:CUSTOMERS_SHOWN])}{more})"
