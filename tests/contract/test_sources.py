"""What every source type must hold to. A new module in ingestion/sources/ is found by itself.

It brings a sample of its own, tests/contract/source_samples/<type>.py, with `prepare(home) -> settings`, which puts a
small shop with personal data, a bad row and a guest in reach of the home, `change(home)`, after which the shop has
something new, and `SECRETS`, texts that may stand in the schema `private` alone.
"""

import ast
import importlib.util
import inspect
import json
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.source import Extraction, LandedFile, Source, SourceSettings, WaitingRows, load_source, source_types
from regulars.home import Home
from regulars.run import close_run, resume_run
from regulars.settings import HomeSettings
from regulars.tables import CANONICAL_TABLES, VERSION_COLUMNS, ColumnType
from regulars.warehouse import open_warehouse

TYPES = sorted(source_types())
SAMPLES = Path(__file__).parent / "source_samples"
ARROW_TYPES: dict[ColumnType, Any] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "amount": pa.decimal128(18, 4),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}
BY_NAME = {table.name: table for table in CANONICAL_TABLES}
ADDED = {
    "record_key": pa.string(),
    "content_hash": pa.string(),
    "event_at": pa.timestamp("us"),
    "file": pa.string(),
    "line": pa.int64(),
    "file_ordinal": pa.int32(),
}


def sample(name: str) -> ModuleType:
    path = SAMPLES / f"{name}.py"
    assert path.exists(), f"write {path.relative_to(Path.cwd())}, a small shop for the contract of the source type {name}"
    spec = importlib.util.spec_from_file_location(f"source_sample_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=TYPES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("REGULARS_CLOCK", "2026-03-01T03:00:00")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yml").write_text("name: Contract\ntime_zone: UTC\ncurrency: EUR\n")
    (tmp_path / "config" / "prediction.yml").write_text("{}\n")
    settings = {"type": kind, **sample(kind).prepare(tmp_path)}
    (tmp_path / "config" / "sources.yml").write_text(yaml.safe_dump({"sources": {"shop": settings}}))
    return Home.at(tmp_path)


def source(home: Home) -> Source:
    return load_source(home, HomeSettings(home).shop, "shop")


def extracted(home: Home, folder: str, landed: dict[str, LandedFile] | None = None) -> tuple[Extraction, Path]:
    into = home.private_folder(home.var / folder)
    return source(home).extract(landed or {}, into, known_at=datetime(2026, 3, 1, 3)), into


def night(home: Home, day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_CLOCK", f"2026-03-{day:02}T03:00:00")
    as_of = date(2026, 3, day)
    extract_source(home, "shop", as_of, "night")
    land_source(home, "shop", as_of, "night")
    close_run(resume_run(home, "night", as_of))


def test_there_is_a_source_type() -> None:
    assert "files" in TYPES


def test_module_has_settings_and_a_source(kind: str) -> None:
    module = source_types()[kind]
    assert issubclass(module.Settings, SourceSettings)
    assert inspect.getdoc(module)
    assert list(inspect.signature(module.Source.__init__).parameters) == ["self", "name", "settings", "home", "shop"]
    undescribed = [name for name, field in module.Settings.model_fields.items() if not field.description]
    assert not undescribed, "config/sources.yml is read by people: describe every setting"


def test_module_reaches_for_no_warehouse_and_no_clock(kind: str) -> None:
    path = inspect.getsourcefile(source_types()[kind])  # type: ignore[arg-type]
    assert path is not None
    names = {name.split(".")[0] + "." + ".".join(name.split(".")[1:]) for name in _imports(Path(path))}
    assert not {name for name in names if name.startswith(("regulars.warehouse.warehouse", "regulars.clock", "airflow"))}
    assert "open_warehouse" not in Path(path).read_text()


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_tables_are_canonical_ones_and_known_without_reading(home: Home) -> None:
    tables = source(home).tables
    assert tables
    assert set(tables) <= set(CANONICAL_TABLES)


def test_extraction_needs_no_warehouse_and_holds_the_canonical_columns(home: Home) -> None:
    extraction, folder = extracted(home, "one")
    assert not home.warehouse.exists()
    assert list(extraction.tables) == [table.name for table in source(home).tables]
    assert sum(extract.rows_read for extract in extraction.tables.values()) > 0
    for name, extract in extraction.tables.items():
        own = {c.name: ARROW_TYPES[c.type] for c in BY_NAME[name].columns if c not in VERSION_COLUMNS}
        required = [c.name for c in BY_NAME[name].columns if c not in VERSION_COLUMNS and not c.nullable]
        rows = 0
        for file in extract.parquet:
            table = pq.read_table(folder / file)
            assert {field.name: field.type for field in table.schema} == own | ADDED, name
            for column in (*required, "record_key", "content_hash", "event_at", "file_ordinal"):
                assert table.column(column).null_count == 0, (name, column)
            rows += table.num_rows
        assert extract.rows_read == rows + extract.duplicates_merged + sum(extract.excluded.values()) + extract.rows_quarantined
    quarantined = [pq.read_table(folder / file) for file in extraction.quarantine]
    assert sum(table.num_rows for table in quarantined) == sum(extract.rows_quarantined for extract in extraction.tables.values()) > 0
    for table in quarantined:
        assert table.schema.names == ["table_name", "file", "line", "reason", "raw_bytes", "mapped_table", "header"]
        assert all(table.column(name).null_count == 0 for name in table.schema.names)


def test_rows_in_quarantine_can_be_read_again(home: Home) -> None:
    """The same settings find the same rows bad for the same reasons, at their lines, with nothing else read."""
    first, one = extracted(home, "one")
    bad = pa.concat_tables([pq.read_table(one / file) for file in first.quarantine]).to_pylist()
    waiting = []
    for table_name, file in dict.fromkeys((row["mapped_table"], row["file"]) for row in bad):
        rows = sorted((row for row in bad if (row["mapped_table"], row["file"]) == (table_name, file)), key=lambda row: row["line"])
        bytes_of_rows = pa.table({"line": [row["line"] for row in rows], "raw_bytes": [row["raw_bytes"] for row in rows]})
        waiting.append(WaitingRows(table_name, file, json.loads(rows[0]["header"]), bytes_of_rows))
    into = home.private_folder(home.var / "two")
    again = source(home).reread(waiting, into, known_at=datetime(2026, 3, 1, 3), first_ordinal=7, places_taken=lambda *_: pa.table({}))
    assert sum(extract.rows_read for extract in again.tables.values()) == len(bad)
    assert again.files == []
    reread = pa.concat_tables([pq.read_table(into / file) for file in again.quarantine]).to_pylist()
    assert sorted(reread, key=repr) == sorted(bad, key=repr)


def test_extraction_leaves_nothing_else_and_nothing_open(home: Home) -> None:
    extraction, folder = extracted(home, "one")
    listed = {file for extract in extraction.tables.values() for file in extract.parquet} | set(extraction.quarantine)
    assert {path.name for path in folder.iterdir()} == listed
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} <= {0}


def test_same_shop_gives_the_same_extraction(home: Home) -> None:
    first, one = extracted(home, "one")
    second, two = extracted(home, "two")
    assert first == second
    for extract in first.tables.values():
        for file in extract.parquet:
            assert pq.read_table(one / file).equals(pq.read_table(two / file))


def test_what_has_been_landed_is_not_read_again(home: Home, kind: str) -> None:
    first, _ = extracted(home, "one")
    landed = {file.file: file for file in first.files}
    again, _ = extracted(home, "two", landed)
    assert not again.files
    assert {file.file for file in first.files} == set(again.unchanged)
    assert all(extract.rows_read == 0 and not extract.parquet for extract in again.tables.values())
    sample(kind).change(home.path)
    changed, _ = extracted(home, "three", landed)
    assert changed.files


def test_personal_data_stay_private(home: Home, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    night(home, 1, monkeypatch)
    shown = capsys.readouterr()
    secrets = sample(kind).SECRETS
    with open_warehouse(home) as warehouse:
        tables = warehouse.rows("select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'")
        held = {f"{schema}.{name}": str(warehouse.rows(f"select * from {schema}.{name}")) for schema, name in tables}
    assert all(secret in held["private.customers"] for secret in secrets)
    for name, content in held.items():
        if not name.startswith("private."):
            assert not [secret for secret in secrets if secret in content], name
    assert not [secret for secret in secrets if secret in shown.out + shown.err]


def test_two_nights_bring_what_is_new_and_a_third_nothing(home: Home, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def counts() -> dict[str, int]:
        with open_warehouse(home) as warehouse:
            return {t.name: warehouse.rows(f"select count(*) from {t.qualified_name}")[0][0] for t in CANONICAL_TABLES}

    night(home, 1, monkeypatch)
    first = counts()
    sample(kind).change(home.path)
    night(home, 2, monkeypatch)
    second = counts()
    night(home, 3, monkeypatch)
    assert sum(second.values()) > sum(first.values())
    assert counts() == second
