"""A plan: what would have to change at a destination, so that it holds what the night says.

desired (members whom it may hold) - actual (what it holds, read back) → enter, leave and update. The same desired and actual
give the same plan, whose canonical JSON (customer_ids and hashes only) is named by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from activation.comparison import Comparison, ListFigures, Subject, compare
from activation.desired import Desired
from activation.destination import Changes, Holdings, Target
from activation.memory import Memory
from regulars.warehouse.workspace import Workspace


@dataclass(frozen=True)
class Plan:
    """See `activation.comparison.Comparison` for `standing` and `figures`."""

    destination: str
    as_of: date
    target: Target
    body: str
    sha256: str
    figures: tuple[ListFigures, ...]
    changes: Changes
    standing: pa.Table

    @property
    def is_empty(self) -> bool:
        changes = self.changes
        return not (changes.enter.num_rows or changes.leave.num_rows or changes.update.num_rows or self.readdressed)

    @property
    def readdressed(self) -> int:
        """Members who stay on their list under another address."""
        return sum(one.readdressed for one in self.figures)

    def is_remainder_of(self, earlier_body: str) -> bool:
        """Whether every change of this plan stands in the earlier one, for the same night and target."""
        earlier, own = json.loads(earlier_body), json.loads(self.body)
        if any(earlier[key] != own[key] for key in ("as_of", "destination", "target")):
            return False
        if not own["update"].items() <= earlier["update"].items():
            return False
        return all(
            set(change[action]) <= set(earlier["lists"].get(segment, {}).get(action, ()))
            for segment, change in own["lists"].items()
            for action in ("enter", "leave", "readdress")
        )

    def in_words(self) -> str:
        """The figures, such as `3 enter, 1 leaves, 20 contacts change`."""
        enter, leave, update = self.changes.enter.num_rows, self.changes.leave.num_rows, self.changes.update.num_rows
        words = [f"{enter:,} enter", f"{leave:,} leave"]
        if update:
            words.append(f"{update:,} contacts change")
        if self.readdressed:
            words.append(f"{self.readdressed:,} addresses change")
        held_back = sum(one.held_back for one in self.figures)
        if held_back:
            words.append(f"{held_back:,} held back")
        return ", ".join(words)

    def in_figures(self) -> str:
        """A table in Markdown, a row for every list that changes."""
        rows = [
            f"| {one.title}{' (no segment of the catalogue)' if one.is_retired else ''} "
            f"| {one.current:,} | {one.entering:,} | {one.leaving:,} | {one.expected_leaving:,} | {one.desired:,} |"
            for one in self.figures
            if one.entering or one.leaving or one.readdressed
        ]
        return "\n".join(["| list | now | enter | leave | of these expired | then |", "| --- | --- | --- | --- | --- | --- |", *rows])


def make_plan(subject: Subject, desired: Desired, holdings: Holdings, memory: Memory, workspace: Workspace, *, with_rows: bool) -> Plan:
    """The plan for `subject`, with the rows of its lists where it is to be pushed."""
    found = compare(subject, desired, holdings, memory, workspace, with_rows=with_rows)
    body = _canonical(subject, desired.as_of, found)
    changes = Changes(desired.as_of, desired.model_version, subject.lists, found.enter, found.leave, found.update, found.rows, workspace)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return Plan(subject.name, desired.as_of, subject.target, body, digest, found.figures, changes, found.standing)


def _canonical(subject: Subject, as_of: date, found: Comparison) -> str:
    lists = {
        one.segment: {
            "title": one.title,
            "enter": _ids(found.enter, one.segment),
            "leave": _ids(found.leave, one.segment),
            "readdress": _ids(found.readdressed, one.segment),
        }
        for one in subject.lists
    }
    update = dict(zip(found.update["customer_id"].to_pylist(), found.update["content_hash"].to_pylist(), strict=True))
    content = {"as_of": as_of.isoformat(), "destination": subject.name, "target": asdict(subject.target), "lists": lists, "update": update}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _ids(table: pa.Table, segment: str) -> list[str]:
    ids: list[str] = table.filter(pc.equal(table["segment"], segment))["customer_id"].to_pylist()
    return ids
