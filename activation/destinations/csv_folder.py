"""A folder of CSV files: always there, needs no account, and is what a marketer opens.

`<path>/<as_of>/<segment>.csv` for every segment, with a manifest; `<path>/latest` leads to the newest night.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from activation.destination import Changes, DestinationSettings, Holdings, Recorder, SegmentList, Target
from activation.list_files import LISTS, is_ours, members_of, read_lists, write_lists
from regulars.home import Home

NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")


class Settings(DestinationSettings):
    type: Literal["csv_folder"]
    path: str = Field(default="var/lists", min_length=1, description="Folder of the lists, from the home's folder.")
    keep_nights: int = Field(default=30, ge=1, description="Nights that stay; older ones are removed.")


class Destination:
    """See `activation.destination.Destination`."""

    capabilities = LISTS
    creates_contacts = False

    def __init__(self, settings: Settings, home: Home, _secrets: Mapping[str, str]):
        self._settings = settings
        self._folder = (home.path / Path(settings.path).expanduser()).resolve()
        self._home = home
        self._contents: Mapping[str, pa.Table] = {}

    @property
    def is_own(self) -> bool:
        return self._folder.is_relative_to(self._home.path)

    def pinned(self) -> Target:
        return Target("", self._settings.path, "")

    def target(self) -> Target:
        return self.pinned()

    def read(self, lists: Sequence[SegmentList]) -> Holdings:  # noqa: ARG002 - files tell by themselves which lists there are
        found = read_lists(self._folder / "latest", self._contents)
        return Holdings(frozenset(found), members_of(found), None)

    def push(self, changes: Changes, record: Recorder) -> str:
        night = self._folder / changes.as_of.isoformat()
        written = write_lists(night, changes.as_of, changes.model_version, changes.lists, changes.rows, changes.workspace)
        self._contents = written.contents
        self._point_latest_at(night.name)
        for one in changes.lists:
            record("enter", one.segment, changes.enter.filter(pc.equal(changes.enter["segment"], one.segment)), {})
            record("leave", one.segment, changes.leave.filter(pc.equal(changes.leave["segment"], one.segment)), {})
        self._remove_old_nights()
        what = f"{written.lists} lists, {written.customers:,} customers"
        return f"{what} in {night}" if written.is_changed else f"{what}; unchanged, so nothing was rewritten in {night}"

    def close(self) -> None:
        """Nothing is held open."""

    def _point_latest_at(self, name: str) -> None:
        latest, aside = self._folder / "latest", self._folder / ".latest.new"
        if latest.is_symlink() and str(latest.readlink()) == name:
            return
        aside.unlink(missing_ok=True)
        aside.symlink_to(name)
        aside.replace(latest)

    def _remove_old_nights(self) -> None:
        nights = sorted(path for path in self._folder.iterdir() if NIGHT.fullmatch(path.name) and is_ours(path))
        for night in nights[: -self._settings.keep_nights]:
            shutil.rmtree(night)
