"""What a file of rows offers, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.tabular.stored_columns import StoredColumns
from ingestion.tabular.work_database import WorkDatabase

ROW_COLUMNS = ("line", "last_line", "malformed")
"""First and last line of the row in its file, from 1 with the header; what is wrong with the row as a whole, else null."""

NUL_BYTE = "expected text, found a NUL byte"


def field_names(columns: Sequence[str]) -> list[str]:
    """Names of the texts in a batch, by the place of their column: a header may hold anything, even a name twice."""
    return [f"c{place}" for place in range(len(columns))]


class FileRows(ABC):
    """The rows of one file, read once from beginning to end.

    Attributes:
        label: the file in texts for people.
        columns: names of the columns as they stand in the file.
        times: columns that the file itself keeps as timestamps or dates.
        nested: columns whose values are lists or records, which no canonical column can hold.
        rows_read: rows that came out of `batches` so far, or that the file says it has, counted where they are read.
    """

    label: str
    columns: list[str]
    times: frozenset[str] = frozenset()
    nested: frozenset[str] = frozenset()
    rows_read: int = 0

    @property
    @abstractmethod
    def sha256(self) -> str:
        """SHA-256 of the file's bytes as they were read; known when `batches` has ended."""

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows: `ROW_COLUMNS`, then every column as text without surrounding blanks, named by `field_names`.

        A malformed row has only nulls there.

        Raises:
            InputError: the file cannot be read as a whole.
        """

    @abstractmethod
    def raw_rows(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """The rows at these (first line, last line), in ascending order, as they stand in the file."""

    def stored(self, work: WorkDatabase) -> StoredColumns | None:  # noqa: ARG002 - a text file has none
        """How the engine reads the file by itself, where it does so as well as `batches`."""
        return None

    def hint(self) -> str:
        """A sentence on why the columns may not be the expected ones, or nothing."""
        return ""


def holding(text: str, columns: Sequence[pa.Array]) -> Any:
    """Which rows hold the text in one of their columns; booleans, shape (rows,)."""
    rows = np.zeros(len(columns[0]) if columns else 0, dtype=bool)
    for column in columns:
        # Looking for one byte in all values is much faster than for the text in each.
        if (bytes_of(column) == text.encode()[0]).any():
            rows |= pc.fill_null(pc.match_substring(column, text), False).to_numpy(zero_copy_only=False)
    return rows


def without_blanks(columns: Sequence[pa.Array]) -> list[pa.Array]:
    """The texts without blanks and line ends around them."""
    return [pc.ascii_trim_whitespace(column) for column in columns]


def bytes_of(column: pa.Array) -> Any:
    """The bytes of all values of a text column, one after the other; uint8."""
    data = column.buffers()[2]
    return np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
