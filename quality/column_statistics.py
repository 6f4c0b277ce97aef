"""The SQL of a profile, which every engine understands: one scan of a table for all statistics of all its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quality.profile import WHOLE_TABLE, Profile
from regulars.tables import Column
from regulars.warehouse import Warehouse

NUMBERS = ("integer", "double", "amount", "boolean")
BINS_PER_E_FOLD = 4
"""A bin of a number's histogram is about a quarter wide: 3, 4, 5, 6 … orders, 300 to 380 days."""
BINS_OF_A_SHARE = 20
NOT_FINITE = 10_000
BEYOND_ANY_SHOP = 1e15


def measure(
    warehouse: Warehouse, profile: Profile, table: str, statistics: Mapping[tuple[str, str], str], relation: str, parameters: Sequence[Any]
) -> None:
    """Compute (column, statistic) → SQL aggregate over a relation in one scan, into the profile."""
    names = list(statistics)
    row = warehouse.rows(f"select {', '.join(statistics[name] for name in names)} from {relation}", parameters)[0]
    for (column, statistic), value in zip(names, row, strict=True):
        if value is not None:
            profile.values[table, column, statistic] = float(value)


def column_aggregates(column: Column, prefix: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """((column, statistic), aggregate) for one column; its statistics begin with `prefix`."""
    yield (column.name, f"{prefix}null_share"), f"1 - cast(count({column.name}) as double precision) / nullif(count(*), 0)"
    yield (column.name, f"{prefix}mean"), _mean(column)
    if column.type != "text":
        number = as_number(column)
        yield (column.name, f"{prefix}min"), f"min({number})"
        yield (column.name, f"{prefix}max"), f"max({number})"


def as_number(column: Column) -> str:
    """The column as a double: booleans 0 and 1, texts their length, moments days from 1970."""
    if column.type == "boolean":
        return f"cast(cast({column.name} as integer) as double precision)"
    if column.type == "text":
        return f"cast(length({column.name}) as double precision)"
    if column.type in ("date", "timestamp"):
        return f"cast(extract(epoch from {column.name}) as double precision) / 86400"
    return f"cast({column.name} as double precision)"


def mean_of(number: str) -> str:
    """The mean to six decimals, whatever the order of addition; what is not finite is left to the maximum."""
    finite = f"case when abs({number}) < {BEYOND_ANY_SHOP:.0f} then {number} end"
    return _to_six_decimals(f"avg(cast({finite} as decimal(38, 6)))")


def _to_six_decimals(mean: str) -> str:
    """Or the engines would differ in the last bit."""
    return f"cast(cast({mean} as decimal(38, 6)) as double precision)"


def _mean(column: Column) -> str:
    """As `mean_of`, where a sum of whole numbers or of amounts is exact by itself and half as dear."""
    exact = {
        "text": f"length({column.name})",
        "boolean": f"cast({column.name} as integer)",
        "integer": f"case when {column.name} between {1 - BEYOND_ANY_SHOP:.0f} and {BEYOND_ANY_SHOP - 1:.0f} then {column.name} end",
        "amount": column.name,
    }
    if column.type not in exact:
        return mean_of(as_number(column))
    return _to_six_decimals(f"avg({exact[column.type]})")


def share_where(condition: str, among: str = "true") -> str:
    """Aggregate: the share of the rows of which a condition holds, of those of which the other one does. A quotient of doubles,
    which engines round alike."""
    return f"avg(cast(case when {condition} then 1 when {among} then 0 end as double precision))"


def measure_histograms(
    warehouse: Warehouse, profile: Profile, table: str, columns: Sequence[Column], relation: str, parameters: Sequence[Any]
) -> None:
    """Count the rows of each column's bins, whose bounds are the same on every date and in every shop."""
    selects = [
        f"select '{column.name}' as column_name, {_bin(column)} as bin, count(*) as rows_count from described group by 2"
        for column in columns
    ]
    how = "not materialized" if warehouse.reads_single_columns else "materialized"
    query = f"with described as {how} (select * from {relation}) {' union all '.join(selects)}"
    for column, place, count in warehouse.rows(query, parameters):
        profile.histograms.setdefault((table, column), {})[None if place is None else int(place)] = int(count)
    for column in columns:
        bins = profile.histogram(table, column.name)
        profile.values[table, column.name, "bins_count"] = float(len([place for place in bins if place is not None]))


def _bin(column: Column) -> str:
    if column.type == "text":
        # Sixteen drawers by hash: a changed mix of categories shows, and none is named.
        return f"cast(strpos('0123456789abcdef', substr(md5({column.name}), 1, 1)) as bigint)"
    number = as_number(column)
    if column.name.endswith(("_share", "_probability")):
        place = f"floor({number} * {BINS_OF_A_SHARE})"
    else:
        place = f"floor({BINS_PER_E_FOLD} * sign({number}) * ln(1 + abs({number})))"
    return (
        f"case when {column.name} is null then null when abs({number}) < {BEYOND_ANY_SHOP:.0f} "
        f"then cast({place} as bigint) else {NOT_FINITE} end"
    )


def measure_violations(
    warehouse: Warehouse, profile: Profile, table: str, promises: Mapping[str, str], relation: str, parameters: Sequence[Any]
) -> None:
    """Count the rows that break each promise (words → condition of a row that keeps it; unknown counts as kept)."""
    counts = {(WHOLE_TABLE, violation(words)): f"count(*) filter (where not ({kept}))" for words, kept in promises.items()}
    measure(warehouse, profile, table, counts, relation, parameters)


def violation(words: str) -> str:
    """The statistic's name of a promise."""
    return f"rows_against: {words}"
