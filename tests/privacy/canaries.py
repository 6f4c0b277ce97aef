"""500 personal texts and 20 secrets that exist nowhere else, and a search that finds them however they are written."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from regulars.warehouse.duckdb import connect

PERSON, PHONE, SECRET = "qzxcanary", "4955501997", "qzxsecret"
MARKS = (PERSON, PHONE, SECRET)
HEADER = "account_id,email,phone,first_name,last_name,city,birth_date,registered_at,note\n"


def customer(number: int, *, birth_date: str = "1980-01-01") -> str:
    """A row of customers.csv with five personal texts, and one more in a column that nobody knows."""
    name = f"{PERSON}{number:03d}"
    return (
        f"{number},{name}@example.com,+{PHONE}{number:03d},{name}-anna,{name}-berg,{name}-stadt,{birth_date},2026-01-01,call {name}-note\n"
    )


def secret(number: int) -> str:
    return f"{SECRET}{number:02d}abcdef0123456789"


def forms(mark: str) -> set[bytes]:
    """How a text may be written: as it is, in UTF-16, in hexadecimal digits, in an address, in base64 at any place of a longer text."""
    plain = mark.encode()
    found = {plain, mark.encode("utf-16-le"), mark.encode("utf-16-be"), plain.hex().encode(), quote(mark).encode()}
    found.add("".join(f"%{byte:02x}" for byte in plain).encode())
    for before in range(3):
        # Without the characters that also depend on what stands beside.
        whole = base64.b64encode(b"\0" * before + plain)
        found.add(whole[4 if before else 0 : len(whole) // 4 * 4 - 4])
    return found


FORMS = {form for mark in MARKS for form in forms(mark)}


def is_in(content: bytes) -> bool:
    lower = content.lower()
    return any(form in content or form.lower() in lower for form in FORMS)


def places(folder: Path) -> list[Path]:
    """Files below the folder that hold a canary, unpacked where they are packed. Of a DuckDB file all schemas but `private` count."""
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and any(map(is_in, _contents(file)))]


def _contents(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    yield str(file.name).encode()
    if file.name.startswith("warehouse."):
        if file.suffix == ".duckdb":
            yield from _rows(file)
        return
    yield content
    if file.suffix == ".duckdb":
        yield from _rows(file)
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(file) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif content.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            yield from (line.encode(errors="replace") for line in database.iterdump())
    elif content.startswith(b"PAR1"):
        with connect() as database:
            yield str(database.execute("select * from read_parquet(?)", [str(file)]).fetchall()).encode()


def _rows(file: Path) -> Iterator[bytes]:
    with connect(file, read_only=True) as database:
        for schema, table in database.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name <> 'private'"
        ).fetchall():
            yield str(database.execute(f"select * from {schema}.{table}").fetchall()).encode()
