"""Arrow to and from Postgres by COPY in CSV, written and read by Arrow itself, so that no row passes through Python.

Measured against adbc-driver-postgresql 1.13 with a million rows of 23 columns: 23 s in and 19 s out here, 14 s and 10 s there,
most of it the server's. But there amounts come back as text, and its connection is one of its own: a landing needs its
temporary tables and its transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from regulars.errors import RegularsError
from regulars.warehouse.duckdb import connect as connect_duckdb

ROWS_PER_WRITE = 65_536
TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int32(),
    23: pa.int32(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    **dict.fromkeys((19, 25, 705, 1042, 1043), pa.string()),
}
"""Arrow types by Postgres's type numbers (select oid, typname from pg_type)."""
NUMERIC = 1700


def copy_in(connection: psycopg.Connection[Any], name: str, rows: pa.Table | pa.RecordBatch) -> None:
    """Insert rows into a table; columns are matched by name."""
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    columns = ", ".join(table.column_names)
    options = pa.csv.WriteOptions(include_header=False)
    with connection.cursor() as cursor, cursor.copy(f"copy {name} ({columns}) from stdin (format csv)") as copy:
        for batch in _writable(table).to_batches(max_chunksize=ROWS_PER_WRITE):
            buffer = pa.BufferOutputStream()
            pa.csv.write_csv(batch, buffer, options)
            copy.write(memoryview(buffer.getvalue()))


def copy_out(
    connection: psycopg.Connection[Any], query: str, parameters: Sequence[Any] | None, rows_per_batch: int | None
) -> Iterator[pa.RecordBatch]:
    """A query's rows; at least one batch, which is empty when there are none. One statement, so one snapshot."""
    schema = _schema(connection, query, parameters)
    waiting: list[bytes] = []
    is_empty = True
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format csv)", parameters) as copy:
        for row in copy:  # the server sends one message a row
            waiting.append(bytes(row))
            if len(waiting) == rows_per_batch:
                yield _read(waiting, schema)
                waiting, is_empty = [], False
    if waiting or is_empty:
        yield _read(waiting, schema)


def column_type(type: pa.DataType) -> str:
    """The Postgres type that holds an Arrow type."""
    if pa.types.is_decimal(type):
        return f"numeric({type.precision}, {type.scale})"
    for is_of, name in (
        (pa.types.is_integer, "bigint"),
        (pa.types.is_floating, "double precision"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
    ):
        if is_of(type):
            return name
    return "bytea" if _is_bytes(type) else "text"


def _schema(connection: psycopg.Connection[Any], query: str, parameters: Sequence[Any] | None) -> pa.Schema:
    described = connection.execute(f"select * from ({query}) as described limit 0", parameters).description or []
    return pa.schema([(column.name, _arrow_type(column)) for column in described])


def _arrow_type(column: psycopg.Column) -> pa.DataType:
    if column.type_code == NUMERIC and column.precision is not None and column.scale is not None:
        return pa.decimal128(column.precision, column.scale)
    if column.type_code not in TYPES:
        raise RegularsError(f"the column {column.name} of a query has no type that Arrow and Postgres share: cast it, such as to bigint")
    return TYPES[column.type_code]


def _read(rows: list[bytes], schema: pa.Schema) -> pa.RecordBatch:
    if not rows:
        return pa.RecordBatch.from_pylist([], schema=schema)
    text = b"".join(rows)
    as_text = {field.name: pa.string() if _is_bytes(field.type) else field.type for field in schema}
    table = pa.csv.read_csv(
        pa.py_buffer(text),
        pa.csv.ReadOptions(column_names=schema.names, block_size=len(text) + 1),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(
            column_types=as_text,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
        ),
    )
    for number, field in enumerate(schema):
        if _is_bytes(field.type):
            table = table.set_column(number, field, _converted(table.column(number), "unhex(substr(value, 3))"))
    return table.combine_chunks().to_batches()[0]


def _writable(table: pa.Table) -> pa.Table:
    """As CSV can hold it: bytes as hexadecimal digits, as bytea reads them; dictionaries as their values."""
    for number, field in enumerate(table.schema):
        if _is_bytes(field.type):
            table = table.set_column(number, field.name, _converted(table.column(number), r"'\x' || hex(value)"))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(number, field.name, pc.cast(table.column(number), field.type.value_type))
    return table


def _converted(column: pa.ChunkedArray, expression: str) -> pa.ChunkedArray:
    values = pa.table({"value": column})
    with connect_duckdb() as connection:
        connection.register("values_given", values)
        return connection.sql(f"select {expression} as value from values_given").to_arrow_table().column("value")


def _is_bytes(type: pa.DataType) -> bool:
    return bool(pa.types.is_binary(type) or pa.types.is_large_binary(type))
