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


@dataclass(frozen=True)
class Plan:
    """`standing` (segment, customer_id) is who is on the lists already."""

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
        return not (self.changes.enter.num_rows or self.changes.leave.num_rows or self.changes.update.num_rows)

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
            for action in ("enter", "leave")
        )

    def in_words(self) -> str:
        """The figures, such as `3 enter, 1 leaves, 20 contacts change`."""
        enter, leave, update = self.changes.enter.num_rows, self.changes.leave.num_rows, self.changes.update.num_rows
        words = [f"{enter:,} enter", f"{leave:,} leave"]
        if update:
            words.append(f"{update:,} contacts change")
        held_back = sum(one.held_back for one in self.figures)
        if held_back:
            words.append(f"{held_back:,} held back")
        return ", ".join(words)


def make_plan(subject: Subject, desired: Desired, holdings: Holdings, sent: pa.Table, refused: pa.Table) -> Plan:
    """The plan for `subject`.

    Args:
        sent: customer_id, content_hash last sent to the destination.
        refused: customer_id that the tool refused this very night; tried again the next night.
    """
    found = compare(subject, desired, holdings, sent, refused)
    body = _canonical(subject, desired.as_of, found)
    changes = Changes(desired.as_of, desired.model_version, subject.lists, found.enter, found.leave, found.update, found.rows)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return Plan(subject.name, desired.as_of, subject.target, body, digest, found.figures, changes, found.standing)


def _canonical(subject: Subject, as_of: date, found: Comparison) -> str:
    lists = {
        one.segment: {
            "title": one.title,
            "enter": _ids(found.enter, one.segment),
            "leave": _ids(found.leave, one.segment),
        }
        for one in subject.lists
    }
    update = dict(zip(found.update["customer_id"].to_pylist(), found.update["content_hash"].to_pylist(), strict=True))
    content = {"as_of": as_of.isoformat(), "destination": subject.name, "target": asdict(subject.target), "lists": lists, "update": update}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _ids(table: pa.Table, segment: str) -> list[str]:
    ids: list[str] = table.filter(pc.equal(table["segment"], segment))["customer_id"].to_pylist()
    return ids
