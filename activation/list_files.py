"""The lists of a night as CSV files in one folder, for people and for tools that read files.

RFC 4180: UTF-8, every cell quoted, lines end with CR LF. The same lists give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from activation.comparison import Subject, compare
from activation.desired import Desired
from activation.destination import CUSTOMER_KEY, MEMBERS_SCHEMA, Capabilities, Holdings, SegmentList, Target
from activation.folder_exchange import former_name, switch_in
from activation.list_columns import COLUMNS, LIVE_FORMULA, cells_of
from activation.memory import NO_MEMORY
from regulars.synced_files import sync_folder
from regulars.warehouse.workspace import Workspace

LISTS = Capabilities(channels=frozenset({"email", "sms", "post", "ads"}), mails=False, contact_key=CUSTOMER_KEY, replaces_lists=True)
"""Files hold the members of every segment, with their contact_permission; who reads them answers for whom they contact."""

MANIFEST = "manifest.json"

AT_ONCE = 2
"""Lists that are written at the same time: while one is sorted, the lines of the other go to the disk."""


@dataclass(frozen=True)
class Written:
    """What became of a folder of lists. `contents`: SHA-256 of a list's file → what `read_lists` finds in it."""

    folder: Path
    lists: int
    customers: int
    is_changed: bool
    contents: Mapping[str, pa.Table]


def lists_of(desired: Desired, lists: Sequence[SegmentList], workspace: Workspace) -> pa.Table:
    """The rows of the night's lists, as `activation.destination.Changes.rows`, whatever any destination holds."""
    subject = Subject("files", LISTS, Target("", "", ""), tuple(lists), {}, None, creates_contacts=False)
    nothing = Holdings(frozenset(), MEMBERS_SCHEMA.empty_table(), None)
    return compare(subject, desired, nothing, NO_MEMORY, workspace, with_rows=True).rows


def write_lists(
    folder: Path, as_of: date, model_version: str, lists: Sequence[SegmentList], rows: pa.Table, workspace: Workspace
) -> Written:
    """Write `<segment>.csv` for every list, and the manifest, as one folder that appears whole.

    A folder that holds exactly this already is left alone, and a retired list out. Files have mode 0600.
    """
    lists = [one for one in lists if not one.is_retired]
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder.with_name(f".{folder.name}.new")
    for leftover in (aside, former_name(folder)):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(mode=0o700)
    cells = cells_of(rows)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        entries = pool.map(lambda one: _write_list(aside / f"{one.segment}.csv", one, rows, cells, workspace), lists)
        files = {f"{one.segment}.csv": entry | {"title": one.title} for one, entry in zip(lists, entries, strict=True)}
    contents = {files[f"{one.segment}.csv"]["sha256"]: _content(one, rows) for one in lists}
    manifest = {"as_of": as_of.isoformat(), "model_version": model_version, "columns": COLUMNS, "files": files}
    _write(aside / MANIFEST, iter([(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()]))
    if _is_same(folder, aside, [*files, MANIFEST]):
        shutil.rmtree(aside)
        return Written(folder, len(lists), rows.num_rows, is_changed=False, contents=contents)
    sync_folder(aside)
    switch_in(aside, folder)
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)
    return Written(folder, len(lists), rows.num_rows, is_changed=True, contents=contents)


def read_lists(folder: Path, known: Mapping[str, pa.Table] | None = None) -> dict[str, pa.Table]:
    """Segment → customer_id and address (null where none is shown) of its list, of every file that is as its manifest says.

    Empty when there is no such folder. Every file is read, but one whose bytes have a SHA-256 that is `known` is not parsed.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return {}
    found = {}
    for name, entry in files.items():
        file = folder / Path(name).name
        if file.is_file() and (sha256 := _sha256(file)) == entry["sha256"]:
            found[file.stem] = known[sha256] if known and sha256 in known else _read_list(file)
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


def _write_list(file: Path, one: SegmentList, rows: pa.Table, cells: Mapping[str, str], workspace: Workspace) -> dict[str, Any]:
    header = ",".join(f'"{name}"' for name in COLUMNS) + "\r\n"
    # Permission to be reached on another channel is no permission to be mailed.
    cells = cells if one.channel == "email" else {**cells, "email": "null"}
    line = ", '\",\"', ".join(cells[name] for name in COLUMNS)
    parameters = {"segment": one.segment} | ({"live": LIVE_FORMULA} if "$live" in line else {})
    with workspace.database() as database:
        database.register("list_rows", rows)
        # Lines are put together before they are sorted: after it, one processor alone would do so.
        lines: pa.RecordBatchReader = database.sql(
            "select line from ("
            f" select value_at_risk, customer_id, concat('\"', {line}, '\"', chr(13), chr(10)) as line"
            " from list_rows where segment = $segment"
            ") order by value_at_risk desc nulls last, customer_id",
            params=parameters,
        ).to_arrow_reader(50_000)

        def chunks() -> Iterator[bytes | memoryview]:
            yield header.encode()
            for batch in lines:
                yield _bytes_of(batch.column(0))

        sha256 = _write(file, chunks())
    return {"customers": pc.sum(pc.equal(rows["segment"], one.segment)).as_py() or 0, "sha256": sha256}


def _content(one: SegmentList, rows: pa.Table) -> pa.Table:
    """What a list shows of its members, as `_read_list` finds it in the file."""
    listed = rows.select(["customer_id", "address", "contact_permission"]).filter(pc.equal(rows["segment"], one.segment))
    is_shown = pc.and_(pc.equal(listed["contact_permission"], "granted"), pc.not_equal(listed["address"], ""))
    shown = pc.if_else(is_shown, listed["address"], None) if one.channel == "email" else pa.nulls(listed.num_rows, pa.string())
    return pa.table({"customer_id": listed["customer_id"], "address": shown})


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
