"""What a destination must offer, and how one is found: by the name of its module in `activation.destinations`."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import ModuleType
from typing import Literal, Protocol, cast

import pyarrow as pa
from pydantic import Field

from activation import destinations as destination_modules
from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.segment import Segment, load_segments
from regulars.warehouse.workspace import Workspace
from regulars.yaml_file import Settings, YamlFile

Action = Literal["enter", "leave", "update"]

CUSTOMER_KEY = "customer_id"
"""The contact_key of a destination that knows customers by our own id."""


class DestinationSettings(Settings):
    """What every destination in config/destinations.yml may say."""

    type: str = Field(description="Name of a module in activation/destinations.")
    segments: tuple[str, ...] | None = Field(default=None, description="Segments that go there; all on its channels when left out.")
    list_cap: int | None = Field(default=None, ge=1, description="Most customers on one list, those with the highest value_at_risk first.")
    connection: str | None = Field(default=None, description="Airflow connection that holds the secrets; the DAG resolves it.")

    def secret_variables(self) -> dict[str, str]:
        """Name of each secret → environment variable that holds it on the command line."""
        return {}

    def secrets_of(self, login: str | None, password: str | None) -> dict[str, str]:  # noqa: ARG002 - most keys are passwords
        """The secrets, from the two halves of an Airflow connection."""
        return dict.fromkeys(self.secret_variables(), password) if password else {}

    def mapped_fields(self) -> dict[str, str]:
        """The tool's field of a contact → our column that it holds, one of `activation.comparison.FIELDS`."""
        return {}


@dataclass(frozen=True)
class Capabilities:
    """What a destination is, as far as plan and sync must know.

    `channels` are those whose segments it takes. One that `mails` gets only customers whose contact_permission is
    granted. `contact_key` is a SQL expression over customer_id and address: the key under which the tool knows a contact. One
    that `replaces_lists` writes every list whole and names it by its segment; the others move members of lists with titles.
    """

    channels: frozenset[str]
    mails: bool
    contact_key: str
    replaces_lists: bool = False


@dataclass(frozen=True)
class Target:
    """Where exactly the lists go, as pinned in the configuration or as read back from the tool."""

    account_id: str
    audience_id: str
    audience_name: str


@dataclass(frozen=True)
class SegmentList:
    """A segment as a list in a tool: the segment's name, the title that the list bears, and the channel of its contacts.

    One that `is_retired` stands in the tool and is in the catalogue no more: it is to be emptied.
    """

    segment: str
    title: str
    channel: str
    is_retired: bool = False


@dataclass(frozen=True)
class Holdings:
    """What a destination holds, as read back.

    `lists` names the segments whose list exists. `members` has the columns segment, contact_key and address (null where
    the tool gives none). `contacts` has contact_key and is_live: false for a contact in a state that is left alone, such as
    unsubscribed; None for a destination that keeps no contacts of its own.
    """

    lists: frozenset[str]
    members: pa.Table
    contacts: pa.Table | None


MEMBERS_SCHEMA = pa.schema([("segment", pa.string()), ("contact_key", pa.string()), ("address", pa.string())])
CONTACTS_SCHEMA = pa.schema([("contact_key", pa.string()), ("is_live", pa.bool_())])


@dataclass(frozen=True)
class Changes:
    """What is to be done at a destination.

    `enter` and `leave` have the columns segment, customer_id, address and content_hash; `update` has customer_id, address,
    content_hash and one column a field; `rows` has every member that is to stand on a list, with all columns of
    `activation.desired.Desired.members`, in any order. In the `workspace` there is room to write them.
    """

    as_of: date
    model_version: str
    lists: tuple[SegmentList, ...]
    enter: pa.Table
    leave: pa.Table
    update: pa.Table
    rows: pa.Table
    workspace: Workspace


class Recorder(Protocol):
    """Told of each call's outcome right after the call."""

    def __call__(self, action: Action, segment: str, rows: pa.Table, refused: Mapping[str, str]) -> None:
        """`rows` has customer_id and content_hash; `refused` maps customer_ids that the tool refused to the reason."""


class Destination(Protocol):
    """A tool that holds lists. It may be read and written again at any time: every call to it is idempotent."""

    capabilities: Capabilities

    @property
    def is_own(self) -> bool:
        """True for the home's own folder, whose first sync needs no approval."""

    @property
    def creates_contacts(self) -> bool:
        """True when contacts that the tool does not have may be created."""

    def pinned(self) -> Target:
        """Where the configuration says that the lists go."""

    def target(self) -> Target:
        """Where they would go, read back from the tool."""

    def read(self, lists: Sequence[SegmentList]) -> Holdings:
        """What the tool holds. Writes nothing.

        Raises:
            ConfigurationError: the tool is not set up as the configuration says.
            TryAgain: the tool did not answer.
        """

    def push(self, changes: Changes, record: Recorder) -> str:
        """Make the changes; a few words on what was written. Membership only: nobody is subscribed, unsubscribed or deleted.

        Raises:
            TryAgain: the tool stopped answering; what was recorded is done.
        """

    def close(self) -> None:
        """Give back what the destination holds open."""


@dataclass(frozen=True)
class Configured:
    """One entry of config/destinations.yml, checked, with its module."""

    name: str
    settings: DestinationSettings
    module: ModuleType

    def lists(self, home: Home) -> tuple[SegmentList, ...]:
        """The segments that go there, by priority."""
        channels = cast(Capabilities, self.module.Destination.capabilities).channels
        chosen = [segment for segment in load_segments(home) if self._takes(segment, channels)]
        return tuple(SegmentList(segment.name, segment.title, segment.channel) for segment in chosen)

    def _takes(self, segment: Segment, channels: frozenset[str]) -> bool:
        return segment.channel in channels and (self.settings.segments is None or segment.name in self.settings.segments)

    def connect(self, home: Home, secrets: Mapping[str, str] | None) -> Destination:
        """The destination, ready to be read.

        Raises:
            ConfigurationError: a secret is missing.
        """
        found = dict(secrets or {})
        for secret, variable in self.settings.secret_variables().items():
            value = found.get(secret) or os.environ.get(variable)
            if not value:
                raise ConfigurationError(
                    f"the secret {secret!r} is missing; set the environment variable {variable}, or in Airflow the connection "
                    f"{self.settings.connection or self.name!r}",
                    file=home.config / "destinations.yml",
                    key=f"destinations.{self.name}",
                )
            found[secret] = value
        return cast(Destination, self.module.Destination(self.settings, home, found))


def destination_types() -> list[str]:
    """Names of the modules in `activation.destinations`."""
    return sorted(module.name for module in pkgutil.iter_modules(destination_modules.__path__))


def destination_names(home: Home, kind: str | None = None) -> list[str]:
    """Names of the destinations in config/destinations.yml, in the order written there; only those of one type when it is given.

    Raises:
        ConfigurationError: the file is at fault.
    """
    entries = _entries(YamlFile(home.config / "destinations.yml"))
    return [name for name, entry in entries.items() if kind is None or (isinstance(entry, dict) and entry.get("type") == kind)]


def load_destination(home: Home, name: str) -> Configured:
    """The checked entry `name` of config/destinations.yml.

    Raises:
        ConfigurationError: there is no such entry, or it cannot be used.
    """
    file = YamlFile(home.config / "destinations.yml")
    entries = _entries(file)
    if name not in entries:
        raise file.error(f"there is no destination {name!r}; expected one of: {', '.join(entries)}", ("destinations",))
    entry, at = entries[name], ("destinations", name)
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind not in destination_types():
        raise file.error(f"expected a key type with one of: {', '.join(destination_types())}", (*at, "type"))
    module = importlib.import_module(f"{destination_modules.__name__}.{kind}")
    settings = cast(DestinationSettings, file.validated(module.Settings, entry, at))
    known = [segment.name for segment in load_segments(home)]
    for segment in settings.segments or ():
        if segment not in known:
            raise file.error(f"there is no segment {segment!r}; expected some of: {', '.join(known)}", (*at, "segments"))
    return Configured(name, settings, module)


def _entries(file: YamlFile) -> dict[str, object]:
    entries = file.content.get("destinations")
    if not isinstance(entries, dict) or not entries:
        raise file.error("expected a key destinations with at least one NAME: {type: …} under it", ("destinations",))
    for name in entries:
        if not isinstance(name, str) or not name.replace("_", "a").isalnum() or name != name.lower() or not name.isascii():
            raise file.error("a destination's name consists of lower-case letters, digits and underscores", ("destinations", str(name)))
    return entries
