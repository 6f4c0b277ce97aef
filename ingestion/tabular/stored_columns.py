"""A Parquet file that the engine reads by itself: where the types of its columns fit ours, no value takes the way of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.tabular.work_database import WorkDatabase
from regulars.literal import literal
from regulars.tables import ColumnType
from regulars.warehouse.duckdb import EngineError

BLANKS = " || ".join(["' '", *(f"chr({code})" for code in (9, 10, 11, 12, 13))])
"""What `without_blanks` takes away."""

_INTEGERS = {pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}
_FITTING: dict[str, tuple[ColumnType, ...]] = {
    **dict.fromkeys(_INTEGERS.values(), ("text", "integer", "amount")),
    "VARCHAR": ("text", "integer", "amount", "timestamp", "date"),
    "DECIMAL": ("amount",),
    "TIMESTAMP": ("timestamp",),
    "TIMESTAMP WITH TIME ZONE": ("timestamp",),
    "DATE": ("timestamp", "date"),
}
"""As what a column of the file may be used, by its type: no value may differ from the one that its text would have."""


@dataclass(frozen=True)
class StoredColumns:
    """How the engine reads a file.

    Attributes:
        relation: SQL of the rows, with `ROW_COLUMNS` and the columns named by `field_names`, the texts among them without blanks around.
        rows_count: rows that the file says it has.
        types: the engine's type of each column, by its name in the file; nested columns, which hold nothing for us, have none.
    """

    relation: str
    rows_count: int
    types: Mapping[str, str]

    def fit(self, uses: Mapping[str, set[ColumnType]]) -> bool:
        """Whether every column can be used, each as these canonical types, without becoming a text before."""
        return all(use in _FITTING.get(self.types.get(name, "").split("(")[0], ()) for name, used_as in uses.items() for use in used_as)


def stored_columns(work: WorkDatabase, path: Path) -> StoredColumns | None:
    """None where only Arrow reads the file as we want it: other types, bytes that are no text, names that the engine changes."""
    metadata = pq.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    names = [name.lower() for name in schema.names]
    types = {field.name: _engine_type(field.type) for field in schema if not pa.types.is_nested(field.type)}
    if len(set(names)) < len(names) or "file_row_number" in names or "" in names or not all(types.values()):
        return None
    file = f"read_parquet({literal(str(path))}, file_row_number = true)"
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in types}
    try:
        described = work.rows(f"select column_name, column_type from (describe select {', '.join(quoted.values())} from {file})")
        if dict(described) != types:
            return None
        texts = [quoted[name] for name, type_ in types.items() if type_ == "VARCHAR"]
        is_blanked = dict(zip(texts, _with_blanks(work, file, texts), strict=True))
    except (EngineError, _NulByte):
        return None
    fields = [
        "null" if name not in types else f"trim({quoted[name]}, {BLANKS})" if is_blanked.get(quoted[name]) else quoted[name]
        for name in schema.names
    ]
    columns = "".join(f", {field} as c{place}" for place, field in enumerate(fields))
    lines = "file_row_number + 2 as line, file_row_number + 2 as last_line, cast(null as varchar) as malformed"
    return StoredColumns(f"(select {lines}{columns} from {file})", metadata.num_rows, types)


class _NulByte(Exception):
    """A text holds one."""


def _with_blanks(work: WorkDatabase, file: str, texts: list[str]) -> list[bool]:
    """Which texts have a value with blanks around it; all are looked at, so that bytes that are no text are met here."""
    if not texts:
        return []
    # Every blank sorts before the first sign that is none. To trim a text in vain does no harm, so other signs may be taken for blanks.
    ends = [f"bool_or({text} <> '' and ({text} < '!' or {text}[-1] < '!'))" for text in texts]
    nul_bytes = [f"bool_or(contains({text}, chr(0)))" for text in texts]
    found = work.rows(f"select {', '.join(ends + nul_bytes)} from {file}")[0]
    if any(found[len(texts) :]):
        raise _NulByte
    return [bool(one) for one in found[: len(texts)]]


def _engine_type(type_: pa.DataType) -> str:
    """Empty where a value might come out of the engine as another than out of Arrow."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "VARCHAR"
    if type_ in _INTEGERS:
        return _INTEGERS[type_]
    if pa.types.is_decimal128(type_) and 0 <= type_.scale <= 4:
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_timestamp(type_) and type_.unit != "ns":
        return "TIMESTAMP" if type_.tz is None else "TIMESTAMP WITH TIME ZONE"
    return "DATE" if pa.types.is_date32(type_) else ""
