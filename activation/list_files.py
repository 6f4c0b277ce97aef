"""The lists of a night as CSV files in one folder, for people and for tools that read files.

RFC 4180: UTF-8, every cell quoted, lines end with CR LF. The same lists give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from activation.comparison import Subject, compare
from activation.desired import REASONS, Desired
from activation.destination import CUSTOMER_KEY, MEMBERS_SCHEMA, Capabilities, Holdings, SegmentList, Target
from activation.folder_exchange import former_name, switch_in
from activation.memory import NO_MEMORY
from regulars.synced_files import sync_folder
from regulars.warehouse.duckdb import connect

LISTS = Capabilities(channels=frozenset({"email", "sms", "post", "ads"}), mails=False, contact_key=CUSTOMER_KEY, replaces_lists=True)
"""Files hold the members of every segment, with their contact_permission; who reads them answers for whom they contact."""

MANIFEST = "manifest.json"

LIVE_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
"""What a spreadsheet may take for a formula, after any apostrophes, so that an apostrophe put before it can be taken off again."""

HARMLESS = "({0} >= '0' and {0} < ':') or ({0} >= 'A' and {0} < '＋')"
"""SQL of whether a text begins with a digit, or with a letter or what comes after it: nearly all do, and then cannot be live."""

_TEXT = (
    "'\"' || replace(case when "
    + HARMLESS
    + " then {0} when regexp_matches({0}, $live) then '''' || {0} else {0} end, '\"', '\"\"') || '\"'"
)
_PLAIN = "'\"' || cast({0} as varchar) || '\"'"

COLUMNS: dict[str, str] = {
    "customer_id": _TEXT.format("customer_id"),
    "email": _TEXT.format("case when contact_permission = 'granted' then address end"),
    "contact_permission": _TEXT.format("contact_permission"),
    "entered_on": _PLAIN.format("entered_on"),
    "expires_on": _PLAIN.format("expires_on"),
    "churn_probability": _PLAIN.format("try_cast(churn_probability as decimal(5, 4))"),
    "expected_value": _PLAIN.format("try_cast(expected_value as decimal(18, 2))"),
    "value_at_risk": _PLAIN.format("try_cast(value_at_risk as decimal(18, 2))"),
    "currency": _TEXT.format("currency"),
    "favourite_category": _TEXT.format("favourite_category"),
    "category_affinity": _PLAIN.format("try_cast(category_affinity as decimal(5, 4))"),
    "next_product": _TEXT.format("next_product"),
    "next_product_ids": _TEXT.format("next_product_ids"),
    "new_product": _TEXT.format("new_product"),
    "new_product_id": _TEXT.format("new_product_id"),
    "offer": _TEXT.format("offer"),
    "offer_valid_until": _PLAIN.format("offer_valid_until"),
    **{name: _TEXT.format(name) for name in REASONS},
}
"""Column of the file → SQL of its quoted cell. Texts are made safe for spreadsheets; numbers and dates cannot be formulas."""


@dataclass(frozen=True)
class Written:
    """What became of a folder of lists."""

    folder: Path
    lists: int
    customers: int
    is_changed: bool


def lists_of(desired: Desired, lists: Sequence[SegmentList]) -> pa.Table:
    """The rows of the night's lists, as `activation.destination.Changes.rows`, whatever any destination holds."""
    subject = Subject("files", LISTS, Target("", "", ""), tuple(lists), {}, None, creates_contacts=False)
    nothing = Holdings(frozenset(), MEMBERS_SCHEMA.empty_table(), None)
    return compare(subject, desired, nothing, NO_MEMORY, with_rows=True).rows


def write_lists(folder: Path, as_of: date, model_version: str, lists: Sequence[SegmentList], rows: pa.Table) -> Written:
    """Write `<segment>.csv` for every list, and the manifest, as one folder that appears whole.

    A folder that holds exactly this already is left alone, and a retired list out. Files have mode 0600.
    """
    lists = [one for one in lists if not one.is_retired]
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder.with_name(f".{folder.name}.new")
    for leftover in (aside, former_name(folder)):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(mode=0o700)
    files = {f"{one.segment}.csv": _write_list(aside / f"{one.segment}.csv", one, rows) for one in lists}
    for one in lists:
        files[f"{one.segment}.csv"]["title"] = one.title
    manifest = {"as_of": as_of.isoformat(), "model_version": model_version, "columns": list(COLUMNS), "files": files}
    _write(aside / MANIFEST, iter([(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()]))
    if _is_same(folder, aside, [*files, MANIFEST]):
        shutil.rmtree(aside)
        return Written(folder, len(lists), rows.num_rows, is_changed=False)
    sync_folder(aside)
    switch_in(aside, folder)
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)
    return Written(folder, len(lists), rows.num_rows, is_changed=True)


def read_lists(folder: Path) -> dict[str, pa.Table]:
    """Segment → customer_id and address (null where none is shown) of its list, of every file that is as its manifest says.

    Empty when there is no such folder.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return {}
    found = {}
    for name, entry in files.items():
        file = folder / Path(name).name
        if file.is_file() and _sha256(file) == entry["sha256"]:
            found[file.stem] = _read_list(file)
    return found


def is_ours(folder: Path) -> bool:
    """Whether the folder was written by `write_lists` for the night that its name says, and holds nothing else."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest["as_of"] == folder.name and {path.name for path in folder.iterdir()} <= {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_list(file: Path, one: SegmentList, rows: pa.Table) -> dict[str, Any]:
    header = ",".join(f'"{name}"' for name in COLUMNS) + "\r\n"
    # Permission to be reached on another channel is no permission to be mailed.
    cells = COLUMNS if one.channel == "email" else COLUMNS | {"email": "null"}
    line = ", ".join(f"coalesce({cell}, '\"\"')" for cell in cells.values())
    with connect() as database:
        database.register("list_rows", rows)
        lines: pa.RecordBatchReader = database.sql(
            f"select concat_ws(',', {line}) || chr(13) || chr(10) as line from list_rows where segment = $segment"
            " order by value_at_risk desc nulls last, customer_id",
            params={"segment": one.segment, "live": LIVE_FORMULA},
        ).to_arrow_reader(50_000)

        def chunks() -> Iterator[bytes | memoryview]:
            yield header.encode()
            for batch in lines:
                yield _bytes_of(batch.column(0))

        sha256 = _write(file, chunks())
    return {"customers": pc.sum(pc.equal(rows["segment"], one.segment)).as_py() or 0, "sha256": sha256}


def members_of(lists: Mapping[str, pa.Table]) -> pa.Table:
    """What `read_lists` found, as `activation.destination.Holdings.members`."""
    parts = [
        pa.table([pa.repeat(pa.scalar(segment), rows.num_rows), rows["customer_id"], rows["address"]], schema=MEMBERS_SCHEMA)
        for segment, rows in sorted(lists.items())
    ]
    return pa.concat_tables([MEMBERS_SCHEMA.empty_table(), *parts])


def _read_list(file: Path) -> pa.Table:
    table = pyarrow.csv.read_csv(
        file,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=["customer_id", "email"],
            column_types={"customer_id": pa.string(), "email": pa.string()},
            strings_can_be_null=False,
        ),
    )
    customers, addresses = (_text_of(table[name].combine_chunks()) for name in ("customer_id", "email"))
    return pa.table({"customer_id": customers, "address": pc.if_else(pc.equal(addresses, ""), pa.scalar(None, pa.string()), addresses)})


def _text_of(cells: pa.Array) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(cells, "^'" + LIVE_FORMULA[1:]), pc.utf8_slice_codeunits(cells, 1), cells)


def _bytes_of(texts: pa.Array) -> memoryview:
    """The texts one after another, as Arrow holds them."""
    joined = texts.cast(pa.large_string())
    if not len(joined):
        return memoryview(b"")
    _, offsets, data = joined.buffers()
    places = memoryview(offsets).cast("q")
    return memoryview(data)[places[joined.offset] : places[joined.offset + len(joined)]]


def _write(file: Path, chunks: Iterator[bytes | memoryview]) -> str:
    """Write a file; the SHA-256 of what was to be written."""
    sha256 = hashlib.sha256()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            sha256.update(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return sha256.hexdigest()


def _is_same(folder: Path, aside: Path, names: Sequence[str]) -> bool:
    if not folder.is_dir() or sorted(path.name for path in folder.iterdir()) != sorted(names):
        return False
    return all(_sha256(folder / name) == _sha256(aside / name) for name in names)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
