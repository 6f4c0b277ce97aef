"""The lists of a past night: written for people to look at, never sent."""

from __future__ import annotations

from datetime import datetime

from activation.desired import read_past_desired
from activation.destination import SegmentList
from activation.list_files import lists_of, write_lists
from regulars.run import Run
from regulars.segment import load_segments
from regulars.warehouse import Warehouse
from regulars.warehouse.workspace import Workspace


def write_past_lists(warehouse: Warehouse, run: Run, contacts_known_until: datetime) -> str:
    """Write the lists of the run's as_of to var/rebuilds/<as_of>/; where they stand, in words."""
    lists = [SegmentList(one.name, one.title, one.channel) for one in load_segments(run.home)]
    folder = run.home.private_folder(run.home.rebuilds) / run.as_of.isoformat()
    with Workspace(run.home, "rebuild") as workspace:
        desired = read_past_desired(warehouse, run.home, run.as_of, contacts_known_until, workspace)
        written = write_lists(folder, run.as_of, desired.model_version, lists, lists_of(desired, lists, workspace), workspace)
    return f"{written.customers:,} customers on {len(lists)} lists in {written.folder}{'' if written.is_changed else ', unchanged'}"
