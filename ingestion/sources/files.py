"""CSV and Parquet files in a folder: one source type for every shop that can export."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import Field

from ingestion.guests import GuestPseudonyms
from ingestion.source import Extraction, LandedFile, PlacesTaken, SourceSettings, TableExtract, WaitingRows
from ingestion.tabular.binding import Binding, TableReading
from ingestion.tabular.csv_rows import CsvRows
from ingestion.tabular.file_search import files_of
from ingestion.tabular.guest_rows import GuestRows
from ingestion.tabular.mapping import EMAIL, MAPPINGS, TableMapping, TableMappings
from ingestion.tabular.parquet_rows import ParquetRows
from ingestion.tabular.requeued_rows import requeued_rows
from ingestion.tabular.rows import FileRows
from ingestion.tabular.table_extraction import TableExtraction
from ingestion.tabular.text_stream import fingerprint
from ingestion.tabular.work_database import WorkDatabase
from regulars.errors import ConfigurationError, InputError, TryAgain
from regulars.home import Home
from regulars.settings import Currency, ShopSettings, TimeZone
from regulars.tables import CANONICAL_TABLES, CUSTOMERS, REFUNDS, Table

READING = "2"
"""Counts up when files are to be read again because we read them differently now."""


class Settings(SourceSettings):
    """A source of `type: files` in config/sources.yml."""

    path: str = Field(default=".", description="Folder of the files, relative to the home; the tables' paths are relative to it.")
    time_zone: TimeZone | None = Field(default=None, description="Zone of times without one; default: the shop's.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts; default: the shop's.")
    tables: TableMappings | None = Field(
        default=None,
        description="Canonical table: its files and columns. Default: files that bear the tables' names, with columns that bear ours.",
    )


class Source:
    """See `ingestion.source.Source`."""

    def __init__(self, name: str, settings: Settings, home: Home, shop: ShopSettings):
        self._name, self._home = name, home
        self._folder = (home.path / settings.path).resolve()
        self._is_found_by_name = settings.tables is None
        self._readings = {
            table.name: TableReading(
                table,
                mapping,
                name,
                mapping.time_zone or settings.time_zone or shop.time_zone,
                mapping.currency or settings.currency or shop.currency,
                settings.account_id_prefix,
            )
            for table, mapping in self._mappings(settings)
        }

    def _mappings(self, settings: Settings) -> list[tuple[Table, TableMapping]]:
        by_name = {table.name: table for table in CANONICAL_TABLES}
        if settings.tables is not None:
            return [(by_name[name], mapping) for name, mapping in settings.tables if mapping is not None]
        return [(table, MAPPINGS[table.name]()) for table in CANONICAL_TABLES if files_of(self._folder, table.name, [])]

    @property
    def tables(self) -> tuple[Table, ...]:
        given = {reading.table for reading in self._readings.values()}
        for reading in self._readings.values():
            rules = reading.mapping.rules()
            if getattr(reading.mapping, "cancellations", None) is not None:
                given.add(REFUNDS)
            if reading.table.name != "products" and (rules is None or EMAIL in rules):
                given.add(CUSTOMERS)
        return tuple(table for table in CANONICAL_TABLES if table in given)

    def extract(self, landed: Mapping[str, LandedFile], into: Path, *, known_at: datetime) -> Extraction:
        self._require_earlier_tables(landed)
        extraction = Extraction({table.name: TableExtract() for table in self.tables})
        pseudonyms = GuestPseudonyms(self._home)
        with WorkDatabase(into) as work:
            guest_rows = GuestRows(work)
            for path, readings in self._files().items():
                label = self._label(path)
                file = LandedFile(label, _fingerprint_when_readable(path, label), _fingerprint_of(readings))
                if landed.get(label) == file:
                    extraction.unchanged.append(label)
                    continue
                extraction.files.append(file)
                for reading in readings:
                    rows = _open(path, label, reading.mapping)
                    table_extraction = TableExtraction(
                        work,
                        rows,
                        Binding(reading, rows, known_at=known_at),
                        pseudonyms=pseudonyms,
                        guest_rows=guest_rows,
                        file_ordinal=len(extraction.files),
                    )
                    table_extraction.write(into, extraction)
                    if rows.sha256 != file.sha256:
                        raise TryAgain(
                            f"{label} of the source {self._name} changed while it was read; wait until it is complete, then try again"
                        )
                    table_extraction.refuse_when_every_row_is_bad()
            guest_rows.write(into, extraction)
        return extraction

    def reread(
        self, waiting: Sequence[WaitingRows], into: Path, *, known_at: datetime, first_ordinal: int, places_taken: PlacesTaken
    ) -> Extraction:
        extraction = Extraction({table.name: TableExtract() for table in self.tables})
        pseudonyms = GuestPseudonyms(self._home)
        with WorkDatabase(into) as work:
            guest_rows = GuestRows(work)
            for ordinal, group in enumerate(waiting, start=first_ordinal):
                reading = self._readings.get(group.table_name)
                if reading is None:
                    raise ConfigurationError(
                        f"rows of {group.file} wait in quarantine for {group.table_name}, which the source does not give any more: "
                        "describe the table again, or delete the rows from private.quarantine",
                        file=self._home.config / "sources.yml",
                        key=f"sources.{self._name}.tables",
                    )
                rows = requeued_rows(group, reading.mapping, work.folder)
                TableExtraction(
                    work,
                    rows,
                    Binding(reading, rows, known_at=known_at),
                    pseudonyms=pseudonyms,
                    guest_rows=guest_rows,
                    file_ordinal=ordinal,
                    places_taken=places_taken,
                ).write(into, extraction)
            guest_rows.write(into, extraction)
        return extraction

    def _label(self, path: Path) -> str:
        """The file in texts for people and in tables."""
        label = Path(os.path.relpath(path, self._folder)).as_posix()
        try:
            label.encode()
        except UnicodeEncodeError:
            shown = label.encode(errors="surrogateescape").decode(errors="replace")
            raise InputError(f"the name of the file {shown} of the source {self._name} is no UTF-8 text: give it another name") from None
        return label

    def _require_earlier_tables(self, landed: Mapping[str, LandedFile]) -> None:
        """A file that is found by its table's name and was there on an earlier night is not left out in silence."""
        known = {table.name for table in CANONICAL_TABLES}
        for label in sorted(landed):
            table = Path(label).name.split(".")[0]
            if self._is_found_by_name and table in known and table not in self._readings:
                raise InputError(
                    f"{label} of the source {self._name} was read on an earlier night and is missing now in {self._folder}. "
                    f"{_what_is_there(self._folder)} Put it back, or say under `tables:` what the source still gives"
                )

    def _files(self) -> dict[Path, list[TableReading]]:
        """Every file with the tables that are read from it, in the order of their names: later files bring later versions."""
        if not self._readings:
            expected = ", ".join(f"{table.name}.csv or .parquet" for table in CANONICAL_TABLES)
            raise ConfigurationError(
                f"there is no file to read in {self._folder}: expected {expected}; or describe other files under `tables:`",
                file=self._home.config / "sources.yml",
                key=f"sources.{self._name}.path",
            )
        files: dict[Path, list[TableReading]] = {}
        for reading in self._readings.values():
            found = files_of(self._folder, reading.table.name, reading.mapping.path)
            if not found:
                wanted = ", ".join(reading.mapping.path) or f"{reading.table.name}.csv or .parquet"
                raise ConfigurationError(
                    f"there is no file {wanted} in {self._folder}. {_what_is_there(self._folder)} Correct the path, or put the file there",
                    file=self._home.config / "sources.yml",
                    key=f"sources.{self._name}.tables.{reading.table.name}.path",
                )
            for path in found:
                files.setdefault(path, []).append(reading)
        return dict(sorted(files.items()))


def _fingerprint_when_readable(path: Path, label: str) -> str:
    try:
        return fingerprint(path)
    except OSError as error:
        raise InputError(f"{label} cannot be read ({error.strerror}): let the user who runs the night read it, then try again") from None


def _open(path: Path, label: str, mapping: TableMapping) -> FileRows:
    if path.suffix.lower() in (".parquet", ".pq"):
        return ParquetRows(path, label)
    return CsvRows(path, label, encoding=mapping.encoding, delimiter=mapping.delimiter)


def _fingerprint_of(readings: list[TableReading]) -> str:
    """SHA-256 over all that decides how a file is read."""
    said = [READING]
    for reading in readings:
        said += [reading.table.name, reading.time_zone, reading.currency, reading.account_id_prefix]
        said.append(reading.mapping.model_dump_json(exclude={"path"}))
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"The folder {folder.name} itself is missing."
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return f"There are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}." if names else "The folder is empty."
