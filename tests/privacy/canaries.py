"""500 persons and 20 secrets that exist nowhere else, and a search that finds them however they are written."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from regulars.warehouse.duckdb import connect

PERSON, PHONE, SECRET, BORN = "qzxcanary", "4955501997", "qzxsecret", "1917-03-"
MARKS = (PERSON, PHONE, SECRET)
PERSONS = 500
HEADER = "account_id,email,phone,first_name,last_name,city,street,birth_date,registered_at,note\n"


def customer(number: int, *, birth_date: str = "") -> str:
    """A row of customers.csv with six personal texts, and two more in columns that nobody knows."""
    name = f"{PERSON}{number:03d}"
    born = birth_date or f"{BORN}{number % 28 + 1:02d}"
    texts = f"{name}-anna,{name}-berg,{name}-stadt,{name}-weg {number}"
    return f"{number},{name}@example.com,+{PHONE}{number:03d},{texts},{born},2025-01-01,call {name}-note\n"


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


FORMS = {form for mark in MARKS for form in forms(mark)} | {BORN.encode(), BORN.encode("utf-16-le"), quote(BORN).encode()}
LOWER_FORMS = {form.lower() for form in FORMS}
DIGEST = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])")
DIGESTS = {
    hashlib.new(kind, f"{PERSON}{number:03d}@example.com".encode(), usedforsecurity=False).hexdigest().encode()
    for number in range(PERSONS)
    for kind in ("md5", "sha1", "sha256")
}
"""Without a key a hash of an address is the address, for whoever has a list of addresses."""


def is_in(content: bytes) -> bool:
    lower = content.lower()
    return (
        any(form in content for form in FORMS)
        or any(form in lower for form in LOWER_FORMS)
        or not DIGESTS.isdisjoint(DIGEST.findall(lower))
    )


def places(folder: Path) -> list[Path]:
    """Files below the folder that hold a canary, unpacked where they are packed. Of a DuckDB file all schemas but `private` count."""
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and holds_one(file)]


def holds_one(file: Path) -> bool:
    return any(map(is_in, _contents(file)))


def _contents(file: Path) -> Iterator[bytes]:
    yield str(file.name).encode()
    content = file.read_bytes()
    if file.name.startswith("warehouse."):
        # Its bytes hold the schema `private`, as do those of its log, its snapshot and what was damaged of it.
        if file.suffix == ".duckdb" and "damaged" not in file.parts:
            yield from _rows(file)
        return
    if file.name.startswith("state.sqlite"):
        # The home's keys are kept there and nowhere else.
        if file.suffix == ".sqlite":
            yield from _dump(file, without='INSERT INTO "home_keys"')
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
        yield from _dump(file)
    elif content.startswith(b"PAR1"):
        with connect() as database:
            yield str(database.execute("select cast(t as varchar) from read_parquet(?) as t", [str(file)]).fetchall()).encode()


def _dump(file: Path, without: str = "nothing") -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        yield from (line.encode(errors="replace") for line in database.iterdump() if not line.startswith(without))


def _rows(file: Path) -> Iterator[bytes]:
    with connect(file, read_only=True) as database:
        for schema, table in database.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name <> 'private'"
        ).fetchall():
            yield str(database.execute(f"select cast(t as varchar) from {schema}.{table} as t").fetchall()).encode()
