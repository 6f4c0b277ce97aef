"""What a source must offer. Every module `ingestion/sources/<type>.py` is a source type by its file name."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pydantic import Field

import ingestion.sources
from ingestion.row_predicate import closest
from regulars.home import Home
from regulars.settings import ShopSettings
from regulars.tables import ORDER_LINES, ORDERS, Table
from regulars.yaml_file import Settings, YamlFile


class SourceSettings(Settings):
    """What every source can be told in config/sources.yml, beside its type's own settings."""

    account_id_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_:.-]*$",
        description="Put before every account_id, so that the accounts of two shops cannot be taken for one another.",
    )
    connection: str | None = Field(default=None, description="Airflow connection that holds the secrets; the DAG resolves it.")

    def secrets_of(self, login: str | None, password: str | None) -> dict[str, str]:  # noqa: ARG002 - a type without secrets
        """What the source needs to be let in, from the two halves of an Airflow connection."""
        return {}


@dataclass(frozen=True)
class LandedFile:
    """A file, or whatever piece a source reads at once, as it was when it was read."""

    file: str
    sha256: str
    mapping_sha256: str


@dataclass
class TableExtract:
    """What one extraction holds for one canonical table, and the account of it.

    rows_read = rows in `parquet` + duplicates_merged + rows in `excluded` + rows_quarantined.
    """

    parquet: list[str] = field(default_factory=list)
    rows_read: int = 0
    duplicates_merged: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    rows_quarantined: int = 0


@dataclass
class Extraction:
    """What `Source.extract` made: Parquet files in one folder, their accounts, and what was read.

    Attributes:
        tables: by canonical table name; every table that the source gives, also when nothing was read for it. The
            Parquet files hold the table's own columns and record_key, content_hash, event_at, file, line and
            file_ordinal, the place of the file among those of the run, from 1.
        quarantine: Parquet files with the columns table_name, file, line, reason, raw_bytes, and what a later reading of
            the bytes needs: mapped_table, the table whose mapping was used, and header, a JSON list of the file's columns.
        files: what was read.
        unchanged: files that were not read, because they are as they were when last landed.
    """

    tables: dict[str, TableExtract]
    quarantine: list[str] = field(default_factory=list)
    files: list[LandedFile] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WaitingRows:
    """Rows of one file that wait in quarantine, as one run read them.

    Attributes:
        table_name: the table whose mapping reads them.
        header: names of the file's columns.
        rows: line and raw_bytes of each, in the order of the lines.
    """

    table_name: str
    file: str
    header: list[str]
    rows: pa.Table


PlacesTaken = Callable[[Table, Sequence[str]], pa.Table]
"""For a table and the beginnings of record_keys that end in `#` and a place: begin and taken, how many stand in the warehouse."""


class Source(Protocol):
    """One source of a home. Its module has a class `Source` and a class `Settings`, a kind of `SourceSettings`."""

    def __init__(self, name: str, settings: Any, home: Home, shop: ShopSettings) -> None:
        """Look at the settings alone: nothing is read or connected yet.

        Raises:
            ConfigurationError: the settings contradict each other or what is found in the home.
        """

    @property
    def tables(self) -> tuple[Table, ...]:
        """The canonical tables that it gives."""

    def extract(
        self, landed: Mapping[str, LandedFile], into: Path, *, known_at: datetime, secrets: Mapping[str, str] | None = None
    ) -> Extraction:
        """Read what is new and write it as Parquet into the empty folder `into`, without the warehouse.

        Args:
            landed: what has been landed before, by file: what has not changed since need not be read again.
            into: folder for the Parquet files; readable by the owner alone.
            known_at: when the run learns of what it reads. A row that tells of a later event is a bad one.
            secrets: as `SourceSettings.secrets_of` gives them; without them the source looks where its tools always look.

        Raises:
            InputError: something cannot be read as a whole, or not one of its rows. Single bad rows go to quarantine.
            ConfigurationError: the settings do not fit what is there.
        """

    def reread(
        self, waiting: Sequence[WaitingRows], into: Path, *, known_at: datetime, first_ordinal: int, places_taken: PlacesTaken
    ) -> Extraction:
        """Read rows of the quarantine again, by the settings as they are now: as `extract` would, had it just met them.

        Args:
            waiting: the rows; a later element brings later versions.
            into: as for `extract`.
            known_at: as for `extract`.
            first_ordinal: file_ordinal of the first element; the others follow.
            places_taken: asked where equal rows are different ones, so that a row is not taken for one that has been landed.

        Raises:
            InputError: the rows cannot be told apart, or lack a column that the settings name.
            ConfigurationError: the source does not give the table any more.
        """


class SourceType(Protocol):
    """A module of `ingestion.sources`."""

    Settings: type[SourceSettings]
    Source: type[Source]


def source_types() -> dict[str, SourceType]:
    """Every module of `ingestion.sources`, by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(ingestion.sources.__path__))
    return {name: importlib.import_module(f"ingestion.sources.{name}") for name in names}


def source_names(home: Home) -> list[str]:
    """Names of the home's sources, in the order of config/sources.yml.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    return list(_entries(_file(home)))


def load_source(home: Home, shop: ShopSettings, name: str) -> Source:
    """One source of the home, with its settings checked, and held against the home's other sources.

    Raises:
        ConfigurationError: with file, line and key.
    """
    sources = load_sources(home, shop)
    if name not in sources:
        raise _file(home).error(f"there is no source {name!r}; {closest(name, sources)}", ("sources",))
    return sources[name]


def load_sources(home: Home, shop: ShopSettings) -> dict[str, Source]:
    """All sources of the home by name.

    Raises:
        ConfigurationError: with file, line and key; also when two sources could take each other's accounts for theirs.
    """
    file = _file(home)
    sources: dict[str, Source] = {}
    orders_by_prefix: dict[str, str] = {}
    for name, entry in _entries(file).items():
        at = ("sources", name)
        module, settings = _checked(file, name, entry)
        sources[name] = module.Source(name, settings, home, shop)
        if {ORDERS, ORDER_LINES} & set(sources[name].tables):
            other = orders_by_prefix.setdefault(settings.account_id_prefix, name)
            if other != name:
                raise file.error(
                    f"{other!r} and {name!r} both give orders with the account_id_prefix {settings.account_id_prefix!r}, so account 17 of "
                    "one would be taken for account 17 of the other; give one of them another account_id_prefix",
                    at,
                )
    return sources


def source_settings(home: Home, name: str) -> SourceSettings:
    """What config/sources.yml says about one source.

    Raises:
        ConfigurationError: with file, line and key.
    """
    return _checked(_file(home), name, _entries(_file(home)).get(name))[1]


def _checked(file: YamlFile, name: str, entry: Any) -> tuple[SourceType, SourceSettings]:
    at, types = ("sources", name), source_types()
    if not isinstance(entry, dict) or "type" not in entry:
        raise file.error(f"expected `type:` and one of: {', '.join(types)}", at)
    if entry["type"] not in types:
        raise file.error(f"there is no source type {entry['type']!r}; known types: {', '.join(types)}", (*at, "type"))
    module = types[entry["type"]]
    return module, file.validated(module.Settings, {key: value for key, value in entry.items() if key != "type"}, at)


def _file(home: Home) -> YamlFile:
    return YamlFile(home.config / "sources.yml")


def _entries(file: YamlFile) -> dict[str, Any]:
    for key in file.content:
        if key != "sources":
            raise file.error("unknown key; the file holds `sources:` alone", (key,))
    entries = file.content.get("sources")
    if not isinstance(entries, dict) or not entries:
        raise file.error("expected at least one source: a name, and below it its type and settings", ("sources",))
    for name in entries:
        if not isinstance(name, str) or not re.fullmatch("[a-z0-9_]+", name):
            raise file.error("a source's name consists of lower-case letters, digits and underscores", ("sources", name))
    return entries
