"""Files that appear as a whole or not at all, written batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path`, which takes its place when the block ends well and vanishes when it does not."""
    aside = path.with_name(f".{path.name}.partial")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[list[Any]]) -> None:
    """One row group a batch. Dictionaries stay within the file: readers see plain text."""
    coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with (
        written_aside(path) as aside,
        pq.ParquetWriter(
            aside, schema, compression="zstd", compression_level=1, use_dictionary=coded, store_decimal_as_integer=True, store_schema=False
        ) as writer,
    ):
        # With store_schema=False the schema's own metadata would stay behind.
        writer.add_key_value_metadata(schema.metadata or {})
        for columns in batches:
            table = pa.Table.from_arrays(columns, schema=schema)
            writer.write_table(table, row_group_size=max(len(table), 1))


def write_csv(path: Path, schema: pa.Schema, batches: Iterable[list[Any]]) -> None:
    """Text in quotes, null as nothing, timestamps as 2023-01-31 12:34:56."""
    with written_aside(path) as aside, pyarrow.csv.CSVWriter(aside, schema) as writer:
        for columns in batches:
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
