"""The rows of a CSV file as Arrow batches of texts, each with the line where it stands; nothing is guessed.

Fields may be quoted with `"`, a quote inside is doubled, and a quoted field may hold line ends. A row with too many or
too few fields, or with bytes that its encoding does not have, comes out as a malformed row.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ingestion.tabular.rows import NUL_BYTE, ROW_COLUMNS, FileRows, bytes_of, field_names, holding, without_blanks
from ingestion.tabular.text_lines import lines_in, raw_rows
from ingestion.tabular.text_stream import TAIL_BYTES, UNDECODABLE, TextStream
from regulars.errors import InputError

LONGEST_ROW_BYTES = 4 << 20
csv.field_size_limit(LONGEST_ROW_BYTES)
UNDECODABLE_SHARE = 0.05
UNDECODABLE_ROWS = 20
"""When more rows than these and more than that share cannot be decoded, the encoding is wrong and not a few rows."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LONGEST_HEADER = 1 << 16
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class _InvalidRow:
    number: int
    lines: int
    problem: str


class CsvRows(FileRows):
    """See `FileRows`.

    Raises:
        InputError: at construction, when there is no header that could be read.
    """

    def __init__(self, path: Path, label: str, *, encoding: str, delimiter: str):
        self.label = label
        self._path, self._encoding, self._delimiter = path, encoding, delimiter
        self._stream = TextStream(path, label, encoding)
        self._next_row, self._next_line, self._last_row_lines = 1, 1, 0
        self.columns = self._read_header()
        self._names = field_names(self.columns)
        self._undecodable_rows = 0
        # Filled by the reader's thread, which is ahead of the batches.
        self._invalid: deque[_InvalidRow] = deque()

    @property
    def sha256(self) -> str:
        return self._stream.sha256

    def _read_header(self) -> list[str]:
        head = self._stream.peek(_LONGEST_HEADER).decode(errors="ignore")
        lines = [match.group() for match in _LINE.finditer(head)]
        reader = csv.reader(iter(lines), delimiter=self._delimiter)
        header = next((record for record in reader if any(field.strip() for field in record)), [])
        if "\0" in "".join(header):
            raise InputError(f"{self.label} holds NUL bytes, so it is no {self._encoding} text; if it is UTF-16, set encoding: utf-16")
        if not header:
            raise InputError(f"{self.label} has no header: expected the names of its columns in the first line")
        self._stream.read(len("".join(lines[: reader.line_num]).encode()))
        self._next_line += reader.line_num
        return [name.strip() for name in header]

    def hint(self) -> str:
        others = [name for sign, name in _DELIMITERS.items() if sign != self._delimiter and sign in self.columns[0]]
        if len(self.columns) > 1 or not others:
            return ""
        return f" The whole header is one column and holds {others[0]}: set `delimiter:` to what stands between the columns."

    def batches(self) -> Iterator[pa.RecordBatch]:
        if not self._stream.peek(1):
            return
        try:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(self._stream, mode="r"),
                read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=LONGEST_ROW_BYTES, column_names=self._names),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=self._note_invalid
                ),
                convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(self._names, pa.string()), strings_can_be_null=False),
            )
            for batch in reader:
                if batch.num_rows:
                    yield from self._numbered(batch)
        except (pa.ArrowInvalid, InputError):
            raise self._stream.failure or InputError(
                f"{self.label}: the row at line {self._next_line:,} or one of the next is longer than {LONGEST_ROW_BYTES >> 20} MB; "
                'is there a quote (") that is opened and never closed?'
            ) from None
        if self._invalid:
            yield self._malformed_batch(list(self._invalid), self._advance([row.lines for row in self._invalid]))
        self._refuse_wrong_encoding()
        self._refuse_open_quote()

    def _note_invalid(self, row: Any) -> str:
        problem = f"expected {row.expected_columns} fields as in the header, found {row.actual_columns}"
        if UNDECODABLE in row.text:
            problem = self._undecodable
            self._undecodable_rows += 1
        self._invalid.append(_InvalidRow(row.number, lines_in(row.text), problem))
        return "skip"

    def _numbered(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch with its lines, and the invalid rows that stand between its own."""
        numbers = np.array([row.number for row in list(self._invalid)], dtype=np.int64)
        candidates = np.arange(self._next_row, self._next_row + batch.num_rows + len(numbers))
        valid = np.setdiff1d(candidates, numbers, assume_unique=True)[: batch.num_rows]
        invalid = []
        while self._invalid and self._invalid[0].number < valid[-1]:
            invalid.append(self._invalid.popleft())
        at = valid - self._next_row
        at_invalid = np.array([row.number for row in invalid], dtype=np.int64) - self._next_row
        spans = np.ones(at[-1] + 1, dtype=np.int64)
        spans[at] += _line_ends_within(batch)
        spans[at_invalid] = [row.lines for row in invalid]
        lines = self._advance(spans)
        self.rows_read += batch.num_rows
        columns = [pa.array(lines[0][at]), pa.array(lines[1][at]), self._problems(batch), *without_blanks(batch.columns)]
        yield pa.record_batch(columns, names=[*ROW_COLUMNS, *self._names])
        if invalid:
            yield self._malformed_batch(invalid, (lines[0][at_invalid], lines[1][at_invalid]))

    def _advance(self, spans: Any) -> tuple[Any, Any]:
        """First and last lines of the next rows, which stand on so many lines each."""
        lasts = self._next_line - 1 + np.cumsum(spans)
        self._next_row += len(spans)
        self._next_line = int(lasts[-1]) + 1
        self._last_row_lines = int(spans[-1])
        return lasts - spans + 1, lasts

    def _malformed_batch(self, rows: list[_InvalidRow], lines: tuple[Any, Any]) -> pa.RecordBatch:
        self.rows_read += len(rows)
        nothing = pa.nulls(len(rows), pa.string())
        columns = [
            pa.array(lines[0]),
            pa.array(lines[1]),
            pa.array([row.problem for row in rows], pa.string()),
            *([nothing] * len(self._names)),
        ]
        return pa.record_batch(columns, names=[*ROW_COLUMNS, *self._names])

    def _problems(self, batch: pa.RecordBatch) -> pa.Array:
        """The problem of each row that holds an undecodable byte or a NUL, else null."""
        marked, nul = holding(UNDECODABLE, batch.columns), holding("\0", batch.columns)
        if not marked.any() and not nul.any():
            return pa.nulls(batch.num_rows, pa.string())
        self._undecodable_rows += int(marked.sum())
        problems = np.full(batch.num_rows, None, dtype=object)
        problems[nul] = NUL_BYTE
        problems[marked] = self._undecodable
        return pa.array(problems, pa.string())

    @property
    def _undecodable(self) -> str:
        return f"expected {self._encoding} text, found bytes that are none"

    def _refuse_wrong_encoding(self) -> None:
        if self._undecodable_rows > max(UNDECODABLE_ROWS, UNDECODABLE_SHARE * self.rows_read):
            raise InputError(
                f"{self.label}: {self._undecodable_rows:,} of {self.rows_read:,} rows hold bytes that are no {self._encoding}, "
                "so the file has another encoding: set encoding: cp1252, for example"
            )

    def _refuse_open_quote(self) -> None:
        """A quote that nobody closes swallows all rows after it, so the file's last row is where it shows."""
        line = self._next_line - self._last_row_lines
        lines = _LINE.findall(self._stream.tail.decode(errors="ignore"))
        if len(lines) > self._last_row_lines or len(self._stream.tail) < TAIL_BYTES:
            row = "".join(lines[-self._last_row_lines :])
        else:
            row = next(raw_rows(self._path, self.label, self._encoding, [(line, self._next_line + 1)])).decode(
                self._encoding, errors="replace"
            )
        try:
            list(csv.reader(io.StringIO(row, newline=""), delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            if "end of data" in str(error):
                raise InputError(
                    f'{self.label}: the row at line {line:,} opens a quote (") that is never closed, so the rows after it cannot be '
                    "told apart; is the file complete? Correct that line, or have the file exported again"
                ) from None

    def raw_rows(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        return raw_rows(self._path, self.label, self._encoding, spans)


def _line_ends_within(batch: pa.RecordBatch) -> Any:
    """Line ends inside each row's values; int64, shape (rows,)."""
    ends = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        data = bytes_of(column)
        has_returns = (data == 13).any()
        if has_returns or (data == 10).any():
            ends += _count(column, "\n")
        if has_returns:
            ends += _count(column, "\r") - _count(column, "\r\n")
    return ends


def _count(column: pa.Array, text: str) -> Any:
    return pc.count_substring(column, text).to_numpy(zero_copy_only=False)
