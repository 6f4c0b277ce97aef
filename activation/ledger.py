"""What we believe the destinations hold, which plans and decisions led there, and which nights were sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from activation.destination import Action, SegmentList, Target
from activation.guard import LEAK_WINDOW
from activation.memory import NO_MEMORY, Memory
from activation.plan import Plan
from regulars.id_lists import id_lists, one_by_one
from regulars.state import State
from regulars.warehouse.duckdb import connect

Status = Literal["planned", "pushing", "done", "stopped"]

APPROVAL_HOLDS = timedelta(hours=24)
BODIES_KEPT = 30
"""Plans of a destination whose changes are kept; of older ones only night, destination and target."""

BELIEVED_SQL = """
select segment, customer_id from entries group by segment, customer_id having arg_max(action, position) = 'enter'
"""


class Ledger:
    """The state of one destination. Every write is one transaction, committed before the next call to the tool."""

    def __init__(self, state: State, destination: str):
        self._state = state
        self._destination = destination

    def latest_sent(self) -> date | None:
        """The latest as_of that any destination of the home was sent."""
        return self._state.latest_sent()

    def sent_before(self, as_of: date) -> date | None:
        """The latest as_of before `as_of` that this destination was sent."""
        sql = "select max(as_of_date) from sent_nights where destination = ? and as_of_date < ?"
        return self._date(sql, self._destination, as_of.isoformat())

    def position(self) -> int:
        """The last entry of the ledger, over all destinations; 0 when it is empty."""
        with self._state.connection() as connection:
            return int(connection.execute("select coalesce(max(position), 0) from ledger").fetchone()[0])

    def pinned(self) -> Target | None:
        """The target that lists were approved for, as read back then; None before the first sync."""
        with self._state.connection() as connection:
            row = connection.execute("select target from pins where destination = ?", [self._destination]).fetchone()
        return Target(**json.loads(row["target"])) if row else None

    def retired_lists(self, lists: Sequence[SegmentList], *, are_replaced: bool) -> tuple[SegmentList, ...]:
        """Lists that the destination was given and that are not among `lists` any more.

        A tool finds a list by its title: a segment that has a new one leaves its old list behind. Lists that are replaced as a
        whole are found by their segment.
        """
        sql = "select segment, title, channel from tool_lists where destination = ? order by segment, title"
        with self._state.connection() as connection:
            known = [
                SegmentList(row["segment"], row["title"], row["channel"], is_retired=True)
                for row in connection.execute(sql, [self._destination])
            ]
        segments, titles = {one.segment for one in lists}, {one.title for one in lists}
        if are_replaced:
            return tuple({one.segment: one for one in known if one.segment not in segments}.values())
        gone = [one for one in known if one.title not in titles]
        # In the ledger the segment's name is that of its present list.
        return tuple(replace(one, segment=f"{one.segment} ({one.title})") if one.segment in segments else one for one in gone)

    def pushing_body(self, as_of: date) -> str | None:
        """The body of the plan whose push for `as_of` began and did not end."""
        with self._state.connection() as connection:
            row = connection.execute(
                "select body from plans where destination = ? and as_of_date = ? and status = 'pushing'",
                [self._destination, as_of.isoformat()],
            ).fetchone()
        return row["body"] if row else None

    def is_approved(self, plan_sha256: str, moment: datetime) -> bool:
        """Whether the plan was approved within the 24 hours before `moment`."""
        with self._state.connection() as connection:
            rows = connection.execute(
                "select decided_at from decisions where plan_sha256 = ? and decision = 'approved'", [plan_sha256]
            ).fetchall()
        return any(timedelta(0) <= moment - datetime.fromisoformat(row["decided_at"]) < APPROVAL_HOLDS for row in rows)

    def store(self, plan: Plan, status: Status) -> None:
        """Write the plan down; other plans of the destination that were not done are superseded."""
        with self._state.transaction() as connection:
            connection.execute(
                "update plans set status = 'superseded'"
                " where destination = ? and plan_sha256 <> ? and status in ('planned', 'pushing', 'stopped')",
                [self._destination, plan.sha256],
            )
            connection.execute(
                "insert or replace into plans values (?, ?, ?, ?, ?)",
                [plan.sha256, self._destination, plan.as_of.isoformat(), plan.body, status],
            )
            connection.execute(
                "update plans set body = json_object('as_of', as_of_date, 'destination', destination,"
                " 'target', json_extract(body, '$.target'), 'lists', json('{}'), 'update', json('{}'))"
                " where destination = ? and rowid not in"
                " (select rowid from plans where destination = ? order by as_of_date desc, rowid desc limit ?)",
                [self._destination, self._destination, BODIES_KEPT],
            )

    def begin_push(self, plan: Plan) -> None:
        """From here on, no earlier night is sent, and another target needs another approval."""
        if not plan.is_empty:
            self.store(plan, "pushing")
        given = [(self._destination, one.segment, one.title, one.channel) for one in plan.changes.lists if not one.is_retired]
        with self._state.transaction() as connection:
            if not plan.is_empty:
                connection.execute("insert or replace into pins values (?, ?)", [self._destination, json.dumps(asdict(plan.target))])
            connection.executemany("insert or replace into tool_lists values (?, ?, ?, ?)", given)
            connection.execute(
                "insert or replace into sent_nights values (?, ?, ?)", [self._destination, plan.as_of.isoformat(), plan.sha256]
            )

    def end_push(self, plan: Plan) -> None:
        """The destination holds what the night says: what was pushing is done, nothing waits, and retired lists are forgotten."""
        night = [self._destination, plan.as_of.isoformat()]
        retired = (
            "delete from tool_lists where destination = ? and (segment, title) not in (select value ->> 0, value ->> 1 from json_each(?))"
        )
        present = json.dumps([(one.segment, one.title) for one in plan.changes.lists if not one.is_retired])
        with self._state.transaction() as connection:
            connection.execute("update plans set status = 'done' where destination = ? and as_of_date = ? and status = 'pushing'", night)
            connection.execute(
                "update plans set status = 'superseded' where destination = ? and status in ('planned', 'pushing', 'stopped')", night[:1]
            )
            connection.execute(retired, [self._destination, present])

    def record(self, plan: Plan, action: Action, segment: str, rows: pa.Table, refused: Mapping[str, str]) -> None:
        """Write down what one call did. `rows` has customer_id and content_hash; those refused are written down as such.

        Of updates only the latest of a customer is kept.
        """
        if not rows.num_rows:
            return
        night = plan.as_of.isoformat()
        done = rows.filter(pc.invert(pc.is_in(rows["customer_id"], pa.array(sorted(refused), pa.string())))) if refused else rows
        with self._state.transaction() as connection:
            if action == "update":
                pairs = zip(done["customer_id"].to_pylist(), done["content_hash"].to_pylist(), strict=True)
                connection.executemany(
                    "insert or replace into sent_contacts values (?, ?, ?, ?, ?)",
                    [(self._destination, one, content_hash, plan.sha256, night) for one, content_hash in pairs],
                )
            else:
                connection.executemany(
                    "insert into ledger (destination, segment, action, plan_sha256, as_of_date, customers_count, customer_ids)"
                    " values (?, ?, ?, ?, ?, ?, ?)",
                    ((self._destination, segment, action, plan.sha256, night, count, ids) for count, ids in id_lists(done["customer_id"])),
                )
            connection.executemany(
                "insert or replace into refusals values (?, ?, ?, ?)",
                [(self._destination, night, one, reason) for one, reason in sorted(refused.items())],
            )

    def memory(self, as_of: date) -> Memory:
        """What a plan for the night of `as_of` must know; "lately" begins after the last plan that a person approved."""
        first = (as_of - LEAK_WINDOW + timedelta(days=1)).isoformat()
        window = (first, as_of.isoformat(), self._destination)
        lately = (
            "from ledger where destination = ? and as_of_date >= ? and as_of_date <= ? and as_of_date > coalesce(("
            " select max(sent_nights.as_of_date) from sent_nights join plans using (destination, as_of_date)"
            " join decisions on decisions.plan_sha256 = plans.plan_sha256 and decisions.decision = 'approved'"
            " where destination = ?), '')"
        )
        left = self._entries(f"select segment, as_of_date, customer_ids {lately} and action = 'leave'", ("segment", "as_of_date"), *window)
        entered = self._table(
            f"select segment, sum(customers_count) {lately} and action = 'enter' group by segment", ("segment", "customers"), *window
        )
        return Memory(
            sent=self._table("select customer_id, content_hash from sent_contacts where destination = ?", ("customer_id", "content_hash")),
            refused=self._table(
                "select customer_id from refusals where destination = ? and as_of_date = ?", ("customer_id",), as_of.isoformat()
            ),
            left=left.select(NO_MEMORY.left.column_names).cast(NO_MEMORY.left.schema),
            entered=entered.cast(NO_MEMORY.entered.schema),
        )

    def believed(self, but: Iterable[str] = ()) -> pa.Table:
        """segment, customer_id of everyone who is on a list as far as the ledger tells; lists that `but` names are left out."""
        sql = (
            "select position, segment, action, customer_ids from ledger"
            " where destination = ? and segment not in (select value from json_each(?))"
        )
        entries = self._entries(sql, ("position", "segment", "action"), json.dumps(sorted(but)))
        if not entries.num_rows:
            return entries.select(["segment", "customer_id"])
        with connect() as database:
            database.register("entries", entries)
            return database.sql(BELIEVED_SQL).to_arrow_table()

    def movements(self, as_of: date) -> dict[tuple[str, str], int]:
        """(segment, action) → customers put on or taken off the list for the night of `as_of`, over all its attempts."""
        sql = "select segment, action, customer_ids from ledger where destination = ? and as_of_date = ?"
        moved = self._entries(sql, ("segment", "action"), as_of.isoformat()).group_by(["segment", "action"])
        counts = moved.aggregate([("customer_id", "count_distinct")]).to_pylist()
        return {(row["segment"], row["action"]): row["customer_id_count_distinct"] for row in counts}

    def _entries(self, sql: str, columns: tuple[str, ...], *parameters: str) -> pa.Table:
        """A row for each customer; the query's last column is the list of them."""
        with self._state.connection() as connection:
            return one_by_one(connection.execute(sql, [self._destination, *parameters]), (*columns, "customer_id"))

    def _table(self, sql: str, columns: tuple[str, ...], *parameters: str) -> pa.Table:
        with self._state.connection() as connection:
            rows = connection.execute(sql, [self._destination, *parameters]).fetchall()
        values = zip(*rows, strict=True) if rows else [()] * len(columns)
        return pa.table([pa.array([str(value) for value in column], pa.string()) for column in values], names=list(columns))

    def _date(self, sql: str, *parameters: Any) -> date | None:
        with self._state.connection() as connection:
            found = connection.execute(sql, parameters).fetchone()[0]
        return date.fromisoformat(found) if found else None
