"""Rows that wait in quarantine, read again from their bytes: by the parser of their file's format, at the lines of the file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from ingestion.source import WaitingRows
from ingestion.tabular.csv_rows import CsvRows
from ingestion.tabular.mapping import TableMapping
from ingestion.tabular.parquet_rows import NO_TEXT
from ingestion.tabular.rows import NUL_BYTE, ROW_COLUMNS, FileRows, field_names, holding, without_blanks
from ingestion.tabular.text_lines import has_wide_line_ends
from ingestion.tabular.text_stream import UNDECODABLE
from regulars.errors import InputError


def requeued_rows(waiting: WaitingRows, mapping: TableMapping, folder: Path) -> FileRows:
    """The rows as a file of nothing but them; `folder` is for what must be written to read them."""
    if Path(waiting.file).suffix.lower() in (".parquet", ".pq"):
        return RequeuedRecords(waiting)
    return RequeuedTexts(waiting, mapping, folder)


class RequeuedTexts(CsvRows):
    """Rows of a text file. The header is written above them, and the parser is the one that reads files."""

    def __init__(self, waiting: WaitingRows, mapping: TableMapping, folder: Path):
        raw = waiting.rows.column("raw_bytes").combine_chunks()
        self._first_lines = waiting.rows.column("line").to_numpy()
        self._raw = raw
        # The bytes of a wide encoding were set aside as UTF-8.
        encoding = "utf-8" if has_wide_line_ends(mapping.encoding) else mapping.encoding
        path = folder / "requeued.csv"
        _write(path, waiting.header, raw, encoding=encoding, delimiter=mapping.delimiter)
        super().__init__(path, waiting.file, encoding=encoding, delimiter=mapping.delimiter)
        spans = 1 + _count(raw, b"\n") + _count(raw, b"\r") - _count(raw, b"\r\n")
        self._starts = self._next_line + np.cumsum(spans) - spans
        self._spans = spans

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in super().batches():
            starts = batch.column(0).to_numpy()
            places = np.searchsorted(self._starts, starts)
            if (self._starts[np.minimum(places, len(self._starts) - 1)] != starts).any():
                raise self._not_told_apart()
            firsts = self._first_lines[places]
            lines = [pa.array(firsts), pa.array(firsts + self._spans[places] - 1)]
            yield pa.record_batch([*lines, *batch.columns[2:]], names=batch.schema.names)
        if self.rows_read != len(self._starts):
            raise self._not_told_apart()

    def _not_told_apart(self) -> InputError:
        return InputError(
            f"{self.label}: what waits of it in quarantine cannot be told apart with the delimiter and the encoding of the mapping as "
            "it is now. Correct the mapping in config/sources.yml; or have the whole file read again, as the next night does"
        )

    def raw_rows(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        yield from _at_lines(self._raw, self._first_lines, spans)

    def _refuse_wrong_encoding(self) -> None:
        """Among bad rows, many may be undecodable: they stay where they are."""


class RequeuedRecords(FileRows):
    """Rows of a Parquet file, which wait as JSON."""

    def __init__(self, waiting: WaitingRows):
        self.label, self.columns = waiting.file, waiting.header
        self._first_lines = waiting.rows.column("line").to_numpy()
        self._raw = waiting.rows.column("raw_bytes").combine_chunks()

    @property
    def sha256(self) -> str:
        return ""

    def batches(self) -> Iterator[pa.RecordBatch]:
        content = b"\n".join(self._raw.to_pylist())
        schema = pa.schema([(name, pa.string()) for name in dict.fromkeys(self.columns)])
        records = pyarrow.json.read_json(
            io.BytesIO(content),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        self.rows_read = records.num_rows
        texts = [_joined(records.column(name)) for name in self.columns]
        problems = np.full(records.num_rows, None, dtype=object)
        problems[holding("\0", texts)] = NUL_BYTE
        problems[holding(UNDECODABLE, texts)] = NO_TEXT
        lines = pa.array(self._first_lines)
        columns = [lines, lines, pa.array(problems, pa.string()), *without_blanks(texts)]
        yield pa.record_batch(columns, names=[*ROW_COLUMNS, *field_names(self.columns)])

    def raw_rows(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        yield from _at_lines(self._raw, self._first_lines, spans)


def _write(path: Path, header: list[str], raw: pa.Array, *, encoding: str, delimiter: str) -> None:
    names = io.StringIO(newline="")
    csv.writer(names, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(header)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(names.getvalue().encode(encoding, errors="replace"))
        stream.write(b"\n".join(raw.to_pylist()) + b"\n")


def _at_lines(raw: pa.Array, lines: Any, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    places = np.searchsorted(lines, [first for first, _ in spans])
    for value in raw.take(pa.array(places)):
        yield value.as_py()


def _count(column: pa.Array, sign: bytes) -> Any:
    return pc.count_substring(column, sign).to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
