"""The rows of a Parquet file as Arrow batches of texts, so that they take the same way as those of a CSV file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.tabular.rows import NUL_BYTE, ROW_COLUMNS, FileRows, field_names, holding, without_blanks
from ingestion.tabular.stored_columns import StoredColumns, stored_columns
from ingestion.tabular.text_stream import fingerprint
from ingestion.tabular.work_database import WorkDatabase
from regulars.errors import InputError

ROWS_PER_BATCH = 1 << 16
NO_TEXT = "expected UTF-8 text, found bytes that are none"


class ParquetRows(FileRows):
    """See `FileRows`. A row's line is its number + 1, as if the names of the columns stood in the first line.

    Raises:
        InputError: at construction or while reading, when the file is none or is damaged.
    """

    def __init__(self, path: Path, label: str):
        self.label = label
        self._path = path
        self._damaged = InputError(
            f"{label} is no Parquet file, or only a part of one: wait until it is copied completely, or have it exported again"
        )
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError):
            raise self._damaged from None
        schema = self._file.schema_arrow
        self.columns = list(schema.names)
        self.times = frozenset(field.name for field in schema if pa.types.is_temporal(field.type))
        self.nested = frozenset(field.name for field in schema if pa.types.is_nested(field.type))

    @property
    def sha256(self) -> str:
        return fingerprint(self._path)

    def batches(self) -> Iterator[pa.RecordBatch]:
        names = [*ROW_COLUMNS, *field_names(self.columns)]
        batches = self._file.iter_batches(ROWS_PER_BATCH)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowInvalid, OSError):
                raise self._damaged from None
            if batch is None:
                return
            lines = pa.array(np.arange(self.rows_read + 2, self.rows_read + 2 + batch.num_rows))
            self.rows_read += batch.num_rows
            undecodable = np.zeros(batch.num_rows, dtype=bool)
            texts = [_as_text(column, undecodable) for column in batch.columns]
            problems = np.full(batch.num_rows, None, dtype=object)
            problems[holding("\0", texts)] = NUL_BYTE
            problems[undecodable] = NO_TEXT
            yield pa.record_batch([lines, lines, pa.array(problems, pa.string()), *without_blanks(texts)], names=names)

    def stored(self, work: WorkDatabase) -> StoredColumns | None:
        return stored_columns(work, self._path)

    def raw_rows(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """The rows as JSON, for in a Parquet file no row stands in one place."""
        rows = np.array([first - 2 for first, _ in spans], dtype=np.int64)
        begin = 0
        for group in range(self._file.num_row_groups):
            count = self._file.metadata.row_group(group).num_rows
            within = rows[(rows >= begin) & (rows < begin + count)] - begin
            if len(within):
                taken = self._file.read_row_group(group).take(pa.array(within))
                texts = [_as_text(column.combine_chunks(), np.zeros(len(within), dtype=bool)) for column in taken.columns]
                for values in zip(*(column.to_pylist() for column in texts), strict=True):
                    yield json.dumps(dict(zip(self.columns, values, strict=True)), ensure_ascii=False).encode()
            begin += count


def _as_text(column: pa.Array, undecodable: Any) -> pa.Array:
    """The column as text; rows with bytes that are none are marked there, and true in the mask `undecodable`."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        if len(column) == 1:
            undecodable[0] = True
            return pa.array([column[0].as_py().decode(errors="regulars.mark")])
    middle = len(column) // 2
    halves = [_as_text(column[:middle], undecodable[:middle]), _as_text(column[middle:], undecodable[middle:])]
    return pa.concat_arrays(halves)
