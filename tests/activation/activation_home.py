"""A small home with segments, and nights written straight into the tables that activation reads."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pyarrow as pa

from activation.approval import decide
from regulars.home import Home
from regulars.run import close_run, resume_run
from regulars.state import State
from regulars.tables import GATES
from regulars.warehouse import Warehouse, open_warehouse
from tests.empty_warehouse import lay_empty_warehouse

SEGMENTS = {
    "loyal": ("Loyal customers", "membership: lasting"),
    "follow_up": ("Follow-up", "membership: transient\nheld_days: 7"),
}
FOLDER = "lists:\n  type: csv_folder\n  keep_nights: 2\n"
CANARY = "canary.example"


def address_of(customer_id: str) -> str:
    return f"{customer_id}@{CANARY}"


def customers(count: int, start: int = 0) -> list[str]:
    return [f"c{number:04d}" for number in range(start, start + count)]


@dataclass
class Night:
    """Who stands on which list. `denied` and `unknown` are permissions that were not given; everybody else granted."""

    members: Mapping[str, Iterable[str]]
    denied: Iterable[str] = ()
    unknown: Iterable[str] = ()
    expires_on: date | None = None
    value_of: Mapping[str, float] = field(default_factory=dict)


class ActivationHome:
    def __init__(self, folder: Path, destinations: str, segments: Mapping[str, tuple[str, str]] = SEGMENTS):
        (folder / "config" / "segments").mkdir(parents=True)
        (folder / "config" / "shop.yml").write_text("name: Shop\ntime_zone: Europe/Berlin\ncurrency: EUR\n")
        (folder / "config" / "prediction.yml").write_text("churn_horizon_days: 90\n")
        for name, (title, membership) in segments.items():
            text = f"title: {title}\nwho: orders_count >= 1\nwhy: Because.\noffer: =Thanks\npriority: 10\n{membership}\n"
            (folder / "config" / "segments" / f"{name}.yml").write_text(text)
        self.home = Home.at(folder)
        self.configure(destinations)
        lay_empty_warehouse(self.home)
        with open_warehouse(self.home) as warehouse:
            warehouse.execute("create schema if not exists private")
            warehouse.execute("create table private.stg_customers (customer_id varchar, email varchar, normalised_email varchar)")

    def copied(self, folder: Path) -> ActivationHome:
        """The home with all that it holds now, free to be spoiled."""
        shutil.copytree(self.home.path, folder, symlinks=True)
        twin = copy.copy(self)
        twin.home = Home.at(folder)
        return twin

    @property
    def state(self) -> State:
        return State(self.home.state)

    def configure(self, destinations: str) -> None:
        (self.home.config / "destinations.yml").write_text("destinations:\n" + indent(dedent(destinations).strip(), "  ") + "\n")

    def night(self, as_of: date, night: Night) -> None:
        """Replace the night's memberships and scores."""
        pairs = [(segment, one) for segment, members in night.members.items() for one in members]
        everyone = sorted({one for _, one in pairs}) or ["nobody"]
        permissions = {**dict.fromkeys(night.denied, "denied"), **dict.fromkeys(night.unknown, "unknown")}
        memberships = [
            {
                "customer_id": one,
                "as_of_date": as_of,
                "segment": segment,
                "entered_on": as_of,
                "expires_on": night.expires_on if segment == "follow_up" else None,
                "contact_permission": permissions.get(one, "granted"),
            }
            for segment, one in pairs
        ]
        with open_warehouse(self.home) as warehouse:
            warehouse.execute("delete from segments.segment_memberships where as_of_date = ?", [as_of])
            warehouse.execute("delete from scores.customer_scores where as_of_date = ?", [as_of])
            warehouse.execute("delete from quality.gate_results where as_of_date = ?", [as_of])
            for gate in GATES:
                columns = "as_of_date, gate, expectation, column_name, is_met, observed"
                warehouse.execute(f"insert into quality.gate_results ({columns}) values (?, ?, 'rows', '', true, '')", [as_of, gate])
            _append(warehouse, "segments.segment_memberships", memberships)
            _append(warehouse, "scores.customer_scores", [self._score(one, as_of, night) for one in everyone])
            known = {row[0] for row in warehouse.rows("select customer_id from private.stg_customers")}
            new = [one for one in everyone if one not in known]
            _append(
                warehouse,
                "private.stg_customers",
                [{"customer_id": one, "email": address_of(one).upper(), "normalised_email": address_of(one)} for one in new],
            )

    @staticmethod
    def _score(customer_id: str, as_of: date, night: Night) -> dict[str, Any]:
        return {
            "customer_id": customer_id,
            "as_of_date": as_of,
            "churn_probability": 0.25,
            "churn_horizon_days": 90,
            "expected_value": 100.0,
            "value_horizon_days": 365,
            "value_at_risk": night.value_of.get(customer_id, 25.0),
            "currency": "EUR",
            "model_version": "m1",
            "scored_by": "formula",
        }

    def stopped_hash(self) -> str:
        return str(self.query("select plan_sha256 from plans where status = 'stopped'")[0][0])

    def approve(self, plan_hash: str = "") -> None:
        decide(self.home, plan_hash or self.stopped_hash(), "approved", "a test")

    def end_night(self, as_of: date) -> None:
        close_run(resume_run(self.home, "night", as_of))

    def syncs(self, as_of: date, destination: str) -> dict[str, dict[str, Any]]:
        with open_warehouse(self.home) as warehouse:
            rows = warehouse.arrow(
                "select * from activation.syncs where as_of_date = ? and destination = ? order by segment", [as_of, destination]
            ).to_pylist()
        return {row["segment"]: row for row in rows}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.state.connection() as connection:
            return [tuple(row) for row in connection.execute(sql).fetchall()]


def _append(warehouse: Warehouse, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        warehouse.append_temporary(table, pa.Table.from_pylist(rows))
