"""500 persons and 20 secrets go through ways to fail: they show up nowhere that is not meant for them."""

import gzip
import logging
import sqlite3
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regulars.dbt_process import speakable
from regulars.warehouse.duckdb import connect
from tests.privacy.canaries import DIGESTS, FORMS, PERSON, PHONE, SECRET, is_in, places
from tests.privacy.canary_shop import CanaryShop
from tests.privacy.failure_paths import SHORT, FailurePath


@pytest.mark.parametrize("form", sorted(FORMS) + sorted(DIGESTS)[:1])
def test_the_search_finds_every_form(form: bytes) -> None:
    assert is_in(b"before " + form + b" after")
    assert not is_in(b"qzx canary, 4955 501997, qzx secret, 1917")


def test_the_search_opens_what_is_packed(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(PERSON.encode()))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", f"{SECRET} {SECRET}")
    with sqlite3.connect(tmp_path / "c.db") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (?)", [PHONE])
    database.close()
    pq.write_table(pa.table({"x": [PERSON] * 9}), tmp_path / "d.parquet", compression="zstd")
    with connect(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.execute(f"create schema private; create table private.x as select '{PERSON}' as x; create table y as select 1 as x")
    assert [file.name for file in places(tmp_path)] == ["a.gz", "b.zip", "c.db", "d.parquet"]
    with connect(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.execute("create table z as select * from private.x")
    assert places(tmp_path)[-1].name == "warehouse.duckdb"


@pytest.mark.parametrize("path", SHORT, ids=lambda path: path.__name__)
def test_nothing_shows(path: FailurePath, shop: CanaryShop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    path(shop)
    said = capfd.readouterr()
    shop.said += [said.out, said.err, caplog.text]
    assert shop.hits() == []


@pytest.mark.parametrize(
    "message",
    [
        f"Runtime Error in model a (b.sql)\n  Conversion Error: Could not convert string '{PERSON}' to INT32\n  LINE 4: x",
        f'Database Error in model a (b.sql)\n  invalid input syntax for type integer: "{PERSON}"\n  LINE 4: x',
        f"Database Error in model a (b.sql)\n  duplicate key value violates a constraint\n  DETAIL:  Key (email)=({PERSON}) there.",
        f"Runtime Error in model a (b.sql)\n  Invalid Input Error: Compilation Error {PERSON}",
    ],
)
def test_messages_of_engines_are_told_without_values(message: str) -> None:
    told = speakable(message)
    assert not is_in(told.encode())
    assert "Error" in told
