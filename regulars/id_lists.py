"""Many customer_ids in one row of the state, as a JSON list that SQLite's json_each reads.

A hundred thousand ids in a row each take seconds to write, to index and to read; in lists they take a blink.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

IDS_PER_LIST = 50_000
"""So that neither side ever holds more of them as Python's own texts."""


def id_lists(ids: pa.ChunkedArray) -> Iterator[tuple[int, str]]:
    """The ids as lists, each with its length."""
    for start in range(0, len(ids), IDS_PER_LIST):
        part = ids.slice(start, IDS_PER_LIST)
        yield len(part), json.dumps(part.to_pylist(), separators=(",", ":"), ensure_ascii=False)


def one_by_one(rows: Iterable[Sequence[str | int]], names: Sequence[str]) -> pa.Table:
    """Rows whose last column is a list of ids as a table with a row for each id; `names` are its columns."""
    parts: list[list[pa.Array]] = [[] for _ in names]
    for *values, text in rows:
        ids = pa.array(json.loads(str(text)), pa.string())
        for column, value in zip(parts, values, strict=False):
            column.append(pa.repeat(pa.scalar(value), len(ids)))
        parts[-1].append(ids)
    return pa.table([pa.chunked_array(column) if column else pa.array([], pa.string()) for column in parts], names=list(names))
