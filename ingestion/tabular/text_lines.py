"""Single rows of a text file as they stand in it, by their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.tabular.text_stream import BLOCK_BYTES, TextStream, read_blocks, unzipped_blocks


def lines_in(text: str) -> int:
    """Lines that a text stands on; a line ends with a line feed, a carriage return, or both."""
    return 1 + text.count("\n") + text.count("\r") - text.count("\r\n")


def has_wide_line_ends(encoding: str) -> bool:
    """Whether a line end is more than one byte, as in UTF-16."""
    return len("\n".encode(encoding)) != 1


def raw_rows(path: Path, label: str, encoding: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of the rows at (first line, last line), both counted from 1, in ascending order, without their last line end.

    In an encoding whose line end is not one byte, such as UTF-16, the rows come as UTF-8.

    Raises:
        InputError: the file cannot be unzipped.
    """
    wanted = iter(spans)
    span = next(wanted, None)
    first_line, begun = 1, b""
    for chunk in _chunks_of_lines(path, label, encoding):
        if span is None:
            return
        count = chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
        count += 0 if chunk.endswith((b"\n", b"\r")) else 1
        edges = _edges(chunk) if span[0] < first_line + count else None
        while span is not None and edges is not None and span[0] < first_line + count:
            start = edges[max(span[0] - first_line, 0)]
            if span[1] >= first_line + count:
                begun += chunk[start:]
                break
            yield _without_line_end(begun + chunk[start : edges[span[1] - first_line + 1]])
            span, begun = next(wanted, None), b""
        first_line += count
    if begun:
        yield _without_line_end(begun)


def _edges(chunk: bytes) -> Any:
    """Offsets at which lines begin, and the chunk's end; int64, shape (lines + 1,)."""
    data = np.frombuffer(chunk, dtype=np.uint8)
    ends = data == 10
    returns = data == 13
    if returns.any():
        ends[:-1] |= returns[:-1] & (data[1:] != 10)
        ends[-1] |= returns[-1]
    edges = np.concatenate(([0], np.flatnonzero(ends) + 1))
    return edges if edges[-1] == len(chunk) else np.append(edges, len(chunk))


def _chunks_of_lines(path: Path, label: str, encoding: str) -> Iterator[bytes]:
    """The file in pieces that end where a line ends."""
    rest = b""
    for block in _blocks(path, label, encoding):
        text = rest + block
        # The last byte stays behind: a carriage return there may be half of a line end.
        cut = max(text.rfind(b"\n", 0, -1), text.rfind(b"\r", 0, -1)) + 1
        if text[cut - 1 : cut + 1] == b"\r\n":
            cut += 1
        if cut:
            yield text[:cut]
        rest = text[cut:]
    if rest:
        yield rest


def _blocks(path: Path, label: str, encoding: str) -> Iterator[bytes]:
    if not has_wide_line_ends(encoding):
        yield from unzipped_blocks(read_blocks(path), label)
        return
    stream = TextStream(path, label, encoding)
    while block := stream.read(BLOCK_BYTES):
        yield block


def _without_line_end(row: bytes) -> bytes:
    for end in (b"\r\n", b"\n", b"\r"):
        if row.endswith(end):
            return row[: -len(end)]
    return row
