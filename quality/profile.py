"""What a gate reads instead of the tables: statistics that the warehouse computed, and how values were spread.

The suites judge these few hundred numbers: they then hold on every engine, at a cost that does not grow with the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from regulars.tables import HISTOGRAMS, PROFILES
from regulars.warehouse import Warehouse

WHOLE_TABLE = "*"
"""The column_name of statistics about a table as a whole."""

Key = tuple[str, str, str]
"""Table, column, statistic."""
Histogram = Mapping[int | None, int]
"""Rows by bin; None is the bin of rows without a value."""


@dataclass
class Profile:
    """One date's statistics; one that could not be computed is missing, or NaN when the table holds a NaN."""

    as_of: date
    values: dict[Key, float] = field(default_factory=dict)
    histograms: dict[tuple[str, str], dict[int | None, int]] = field(default_factory=dict)

    def value(self, table: str, column: str, statistic: str) -> float | None:
        return self.values.get((table, column, statistic))

    def rows_count(self, table: str) -> float:
        return self.values.get((table, WHOLE_TABLE, "rows_count"), 0.0)

    def histogram(self, table: str, column: str) -> Histogram:
        return self.histograms.get((table, column), {})


def save_profile(warehouse: Warehouse, gate: str, profile: Profile) -> None:
    """Replace what stands of the date and gate."""
    tables = sorted({table for table, _, _ in profile.values})
    with warehouse.transaction():
        warehouse.execute(f"delete from {PROFILES.qualified_name} where as_of_date = ? and gate = ?", [profile.as_of, gate])
        rows = [
            {"as_of_date": profile.as_of, "gate": gate, "table_name": table, "column_name": column, "statistic": statistic, "value": value}
            for (table, column, statistic), value in profile.values.items()
        ]
        warehouse.append(PROFILES, pa.Table.from_pylist(rows, schema=_PROFILE_SCHEMA))
        for table in tables:
            save_histograms(warehouse, profile, table)


def save_histograms(warehouse: Warehouse, profile: Profile, table: str) -> None:
    """Replace the histograms of the date's table."""
    warehouse.execute(f"delete from {HISTOGRAMS.qualified_name} where as_of_date = ? and table_name = ?", [profile.as_of, table])
    rows = [
        {"as_of_date": profile.as_of, "table_name": table, "column_name": column, "bin": place, "rows_count": count}
        for (of_table, column), bins in profile.histograms.items()
        if of_table == table
        for place, count in bins.items()
    ]
    if rows:
        warehouse.append(HISTOGRAMS, pa.Table.from_pylist(rows, schema=_HISTOGRAM_SCHEMA))


def load_profile(warehouse: Warehouse, gate: str, as_of: date) -> Profile:
    """What was saved for the date and gate; empty when nothing was."""
    profile = Profile(as_of)
    for table, column, statistic, value in warehouse.rows(
        f"select table_name, column_name, statistic, value from {PROFILES.qualified_name} where as_of_date = ? and gate = ?", [as_of, gate]
    ):
        if value is not None:
            profile.values[table, column, statistic] = float(value)
    tables = {table for table, _, _ in profile.values}
    profile.histograms = {key: bins for key, bins in load_histograms(warehouse, as_of).items() if key[0] in tables}
    return profile


def load_histograms(warehouse: Warehouse, as_of: date) -> dict[tuple[str, str], dict[int | None, int]]:
    """All saved histograms of a date, by table and column."""
    histograms: dict[tuple[str, str], dict[int | None, int]] = {}
    for table, column, place, count in warehouse.rows(
        f"select table_name, column_name, bin, rows_count from {HISTOGRAMS.qualified_name} where as_of_date = ?", [as_of]
    ):
        histograms.setdefault((table, column), {})[place] = int(count)
    return histograms


_PROFILE_SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("gate", pa.string()),
        ("table_name", pa.string()),
        ("column_name", pa.string()),
        ("statistic", pa.string()),
        ("value", pa.float64()),
    ]
)
_HISTOGRAM_SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("table_name", pa.string()),
        ("column_name", pa.string()),
        ("bin", pa.int64()),
        ("rows_count", pa.int64()),
    ]
)
