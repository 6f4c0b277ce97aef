"""What the script by hand has computed is what the night has: every feature, every prediction, every line of every list."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from regulars.errors import RegularsError
from regulars.home import Home
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES
from regulars.warehouse.duckdb import connect

TOLERANCE = 1e-9
"""Relative: the last bits of a sum of doubles depend on its order."""

SCORES = ("churn_probability", "expected_value", "value_at_risk")


class ResultsDiffer(RegularsError):
    """The two have not computed the same, so comparing their seconds says nothing."""


def compare_results(home: Home, as_of: date, kept: Path, lists: Path) -> int:
    """The number of customers that were compared.

    Raises:
        ResultsDiffer: with the columns and lists that differ.
    """
    differing = _differing_columns(home, as_of, kept) | differing_lists(home.lists / as_of.isoformat(), lists)
    if differing:
        found = ", ".join(f"{name} ({count:,})" for name, count in differing.items())
        raise ResultsDiffer(f"{home.path}, {as_of}: the script by hand and the night differ in {found}")
    with connect() as database:
        return int(database.execute("select count(*) from read_parquet(?)", [str(kept)]).fetchall()[0][0])


def _differing_columns(home: Home, as_of: date, kept: Path) -> dict[str, int]:
    types = {column.name: column.type for column in CUSTOMER_FEATURES.columns if column.name not in CUSTOMER_FEATURES.key}
    types |= dict.fromkeys(SCORES, "double")
    counted = ["count(*) filter (ours.customer_id is null or bare.customer_id is null) as customers"]
    for name, kind in types.items():
        differs = f"ours.{name} is distinct from bare.{name}"
        if kind == "double":
            differs += f" and not coalesce(abs(ours.{name} - bare.{name}) <= {TOLERANCE} * greatest(1, abs(ours.{name})), false)"
        counted.append(f"count(*) filter ({differs}) as {name}")
    with connect(home.warehouse, read_only=True) as database:
        result = database.execute(
            f"""
            select {", ".join(counted)}
            from (
                select * from {CUSTOMER_FEATURES.qualified_name} inner join {CUSTOMER_SCORES.qualified_name} using (customer_id, as_of_date)
                where as_of_date = ?
            ) as ours
            full join read_parquet(?) as bare using (customer_id)
            """,
            [as_of, str(kept)],
        )
        names = [description[0] for description in result.description or []]
        (counts,) = result.fetchall()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def differing_lists(ours: Path, bare: Path) -> dict[str, int]:
    """Lines that stand in one of the two alone, by list."""
    differing = {}
    with connect() as database:
        for file in sorted({path.name for folder in (ours, bare) for path in folder.glob("*.csv")}):
            one, other = (
                f"(select {_cells(folder / file)} from read_csv('{folder / file}', all_varchar = true, header = true, quote = '\"'))"
                for folder in (ours, bare)
            )
            rows = database.execute(f"select count(*) from (({one} except all {other}) union all ({other} except all {one}))")
            if count := rows.fetchall()[0][0]:
                differing[f"list {file}"] = int(count)
    return differing


def _cells(file: Path) -> str:
    """An empty cell and a missing one are the same; columns go by name."""
    with file.open(encoding="utf-8") as lines:
        names = set(lines.readline().strip().replace('"', "").split(","))
    return ", ".join(f"coalesce({name}, '') as {name}" for name in sorted(names))
