"""What a table's contract says: name, grain, key and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "integer", "double", "amount", "timestamp", "date", "boolean", "bytes"]
"""`amount` is DECIMAL(18, 4), so that sums do not depend on the order of addition; `timestamp` is UTC without zone."""


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    description: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """One table's contract.

    `key` identifies a row; `slice_by` names the column whose whole slice one write replaces (empty: merged on the key
    or appended). `written_by` is the stage that writes it.
    """

    schema: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    written_by: str
    slice_by: str = ""

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.qualified_name} has no column {name!r}")


def required(name: str, type: ColumnType, description: str) -> Column:
    return Column(name, type, description, nullable=False)
