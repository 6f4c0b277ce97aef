"""CSV and Parquet files in a folder: one source type for every shop that can export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ingestion.guests import GuestPseudonyms
from ingestion.source import Extraction, LandedFile, PlacesTaken, SourceSettings, TableExtract, WaitingRows
from ingestion.tabular.binding import Binding, TableReading
from ingestion.tabular.csv_rows import CsvRows
from ingestion.tabular.file_search import DataFile, DataFolder, LocalFolder
from ingestion.tabular.guest_rows import GuestRows
from ingestion.tabular.mapping import EMAIL, MAPPINGS, TableMapping, TableMappings
from ingestion.tabular.parquet_rows import ParquetRows
from ingestion.tabular.requeued_rows import requeued_rows
from ingestion.tabular.rows import FileRows
from ingestion.tabular.table_extraction import TableExtraction
from ingestion.tabular.work_database import WorkDatabase
from regulars.errors import ConfigurationError, InputError, TryAgain
from regulars.home import Home
from regulars.object_place import ObjectPlace, ObjectStoreSettings, is_object_place, store_key
from regulars.settings import Currency, ShopSettings, TimeZone
from regulars.tables import CANONICAL_TABLES, CUSTOMERS, REFUNDS, Table

READING = "2"
"""Counts up when files are to be read again because we read them differently now."""


def _checked_path(path: str) -> str:
    return str(ObjectPlace.parse(path)) if is_object_place(path) else path


class Settings(SourceSettings, ObjectStoreSettings):
    """A source of `type: files` in config/sources.yml."""

    path: Annotated[str, AfterValidator(_checked_path)] = Field(
        default=".",
        description="Folder of the files, relative to the home, or s3://bucket/prefix; the tables' paths are relative to it.",
    )
    time_zone: TimeZone | None = Field(default=None, description="Zone of times without one; default: the shop's.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts; default: the shop's.")
    tables: TableMappings | None = Field(
        default=None,
        description="Canonical table: its files and columns. Default: files that bear the tables' names, with columns that bear ours.",
    )

    def secrets_of(self, login: str | None, password: str | None) -> dict[str, str]:
        return store_key(login, password)


class Source:
    """See `ingestion.source.Source`."""

    def __init__(self, name: str, settings: Settings, home: Home, shop: ShopSettings):
        self._name, self._home, self._settings = name, home, settings
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
        if is_object_place(settings.path):
            raise ConfigurationError(
                "say which tables the bucket holds, such as `tables: {orders: {}, customers: {}}`: it is listed by a night alone",
                file=self._home.config / "sources.yml",
                key=f"sources.{self._name}.tables",
            )
        return [(table, MAPPINGS[table.name]()) for table in CANONICAL_TABLES if self._local_folder().files_of(table.name, [])]

    def _local_folder(self) -> LocalFolder:
        return LocalFolder((self._home.path / self._settings.path).resolve(), self._name)

    @contextmanager
    def _folder(self, secrets: Mapping[str, str], work: Path) -> Iterator[DataFolder]:
        if not is_object_place(self._settings.path):
            yield self._local_folder()
            return
        # Only who reads from a bucket waits for boto3 to load.
        from ingestion.tabular.bucket_folder import BucketFolder
        from regulars.object_store import ObjectStore

        store = ObjectStore(ObjectPlace.parse(self._settings.path), self._settings, secrets)
        try:
            folder = BucketFolder(store, self._name, self._home, work)
            yield folder
            folder.remember()
        finally:
            store.close()

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

    def extract(
        self, landed: Mapping[str, LandedFile], into: Path, *, known_at: datetime, secrets: Mapping[str, str] | None = None
    ) -> Extraction:
        self._require_earlier_tables(landed)
        extraction = Extraction({table.name: TableExtract() for table in self.tables})
        pseudonyms = GuestPseudonyms(self._home)
        with WorkDatabase(into) as work, self._folder(secrets or {}, work.folder) as folder:
            guest_rows = GuestRows(work)
            for data_file, readings in self._files(folder):
                with closing(data_file):
                    file = LandedFile(data_file.label, data_file.fingerprint(), _fingerprint_of(readings))
                    if landed.get(file.file) == file:
                        extraction.unchanged.append(file.file)
                        continue
                    extraction.files.append(file)
                    for reading in readings:
                        rows = _open(data_file.path(), file.file, reading.mapping)
                        table_extraction = TableExtraction(
                            work,
                            rows,
                            Binding(reading, rows, known_at=known_at),
                            pseudonyms=pseudonyms,
                            guest_rows=guest_rows,
                            file_ordinal=len(extraction.files),
                        )
                        try:
                            table_extraction.write(into, extraction)
                        except InputError:
                            self._require_unchanged(file, data_file.fingerprint())
                            raise
                        self._require_unchanged(file, rows.sha256)
                        table_extraction.refuse_when_every_row_is_bad()
            guest_rows.write(into, extraction)
        return extraction

    def _require_unchanged(self, file: LandedFile, sha256: str) -> None:
        if sha256 != file.sha256:
            raise TryAgain(f"{file.file} of the source {self._name} changed while it was read; wait until it is complete, then try again")

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

    def _require_earlier_tables(self, landed: Mapping[str, LandedFile]) -> None:
        """A file that is found by its table's name and was there on an earlier night is not left out in silence."""
        known = {table.name for table in CANONICAL_TABLES}
        for label in sorted(landed):
            table = Path(label).name.split(".")[0]
            if self._is_found_by_name and table in known and table not in self._readings:
                raise InputError(
                    f"{label} of the source {self._name} was read on an earlier night and is missing now in {self._local_folder()}. "
                    f"{self._local_folder().what_is_there()} Put it back, or say under `tables:` what the source still gives"
                )

    def _files(self, folder: DataFolder) -> list[tuple[DataFile, list[TableReading]]]:
        """Every file with the tables that are read from it, in the order of their names: later files bring later versions."""
        if not self._readings:
            expected = ", ".join(f"{table.name}.csv or .parquet" for table in CANONICAL_TABLES)
            raise ConfigurationError(
                f"there is no file to read in {folder}: expected {expected}; or describe other files under `tables:`",
                file=self._home.config / "sources.yml",
                key=f"sources.{self._name}.path",
            )
        files: dict[str, tuple[DataFile, list[TableReading]]] = {}
        for reading in self._readings.values():
            found = folder.files_of(reading.table.name, reading.mapping.path)
            if not found:
                wanted = ", ".join(reading.mapping.path) or f"{reading.table.name}.csv or .parquet"
                raise ConfigurationError(
                    f"there is no file {wanted} in {folder}. {folder.what_is_there()} Correct the path, or put the file there",
                    file=self._home.config / "sources.yml",
                    key=f"sources.{self._name}.tables.{reading.table.name}.path",
                )
            for file in found:
                files.setdefault(file.label, (file, []))[1].append(reading)
        return [files[label] for label in sorted(files, key=lambda label: label.split("/"))]


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
