"""Tables of staging built night by night from what is new are those built from everything: on many random shops at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from regulars import tables
from tests.dbt.conftest import DbtProject, ScratchWarehouse
from tests.dbt.test_point_in_time import History

SHOPS = 24
NIGHTS = [dt.datetime(2023, 8, 1), dt.datetime(2023, 8, 20), dt.datetime(2023, 9, 10), dt.datetime(2023, 9, 11, 12)]
LAST = len(NIGHTS) - 1
OWN_NAMES = ("record_key", "order_id", "line_id", "account_id", "refund_id", "product_id", "normalised_email")
DIES_AFTER = ("stg_new_runs", "stg_order_line_versions", "stg_accounts", "int_account_person_periods", "stg_changed_orders")
"""Models of the last night that stand already when its build begins again."""


def night_of(row: dict[str, Any]) -> int:
    return sum(night < row["known_at"] for night in NIGHTS)


def many_shops() -> dict[str, list[dict[str, Any]]]:
    """Several histories in one warehouse, told apart by their ids; a run brings what was learned since the run before.

    Some sources come late, with the run whose other rows the night before has staged already.
    """
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in tables.CANONICAL_TABLES}
    for seed in range(SHOPS):
        for name, landed in History(seed).rows.items():
            for row in landed:
                own = {key: f"{seed}-{row[key]}" for key in OWN_NAMES if row.get(key) is not None}
                run = night_of(row) - (row["source"] != "shop")
                rows[name].append(row | own | {"run_id": f"night-{run}"})
    for days_ago in range(1, 400):
        for ordered_at in (NIGHTS[LAST] - dt.timedelta(days=days_ago), NIGHTS[LAST] - dt.timedelta(days=days_ago + 10)):
            rows["orders"].append(aging_order(f"aging-{days_ago}", ordered_at))
    return rows


def aging_order(account_id: str, ordered_at: dt.datetime) -> dict[str, Any]:
    """One of an order on every day of more than a year: each night some of them leave a lookback."""
    order_id = f"{account_id}-{ordered_at:%j}"
    own = {"account_id": account_id, "order_id": order_id, "record_key": order_id, "source": "shop", "content_hash": "once"}
    when = {"ordered_at": ordered_at, "event_at": ordered_at, "known_at": ordered_at, "is_known_at_assumed": True}
    row = own | when | {"net_revenue": 1.5, "currency": "GBP", "file": "orders.csv", "line": 1}
    return row | {"run_id": f"night-{night_of(row)}"}


def scratch(folder: Path, project: DbtProject) -> ScratchWarehouse:
    folder.mkdir()
    warehouse = ScratchWarehouse(folder / "warehouse.duckdb", project)
    warehouse.set_parameters()
    return warehouse


def learn(warehouse: ScratchWarehouse, rows: dict[str, list[dict[str, Any]]], night: int, carried_from: tuple[Any, ...] = ()) -> None:
    for table in tables.CANONICAL_TABLES:
        warehouse.replace(table, [row for row in rows[table.name] if night_of(row) <= night])
    warehouse.set_as_of_dates([(NIGHTS[night].date(), NIGHTS[night], "night", *carried_from)])


def record_build(warehouse: ScratchWarehouse) -> None:
    queries = [
        f"select run_id, source, '{table.name}' as table_name, count(*) as rows_count from {table.qualified_name} group by all"
        for table in tables.CANONICAL_TABLES
    ]
    names = tables.STAGED_ROWS.column_names
    warehouse.replace(tables.STAGED_ROWS, [dict(zip(names, row, strict=True)) for row in warehouse.run(" union all ".join(queries))])


def contents(warehouse: ScratchWarehouse) -> dict[str, list[str]]:
    """Every row of every table from staging to the features, as text, but for the lists of what has changed."""
    found = warehouse.run(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('staging', 'private', 'intermediate', 'features') "
        "and table_name not like '%_changed_%' and table_name not like '%_moved_%' and table_name not like '%_new_%'"
    )
    return {name: sorted(repr(row) for row in warehouse.run(f"select * from {name}")) for (name,) in found}


def test_staging_built_from_changes_is_staging_built_from_everything(tmp_path: Path, dbt_project: DbtProject) -> None:
    rows = many_shops()
    by_night, whole = (scratch(tmp_path / name, dbt_project) for name in ("by_night", "whole"))
    sizes, moved = [], []
    for night in range(len(NIGHTS)):
        learn(by_night, rows, night, (NIGHTS[night - 1].date(), NIGHTS[night - 1]) if night > 0 else ())
        if night == LAST:
            by_night.dbt("run", "--select", *DIES_AFTER, changes_only=True)
        by_night.build("--select", "tag:staging", changes_only=night > 0)
        record_build(by_night)
        by_night.build("--select", "tag:features", changes_only=night > 0)
        moved.append(by_night.run("select count(*) from intermediate.int_moved_customers")[0][0])
        sizes.append(by_night.run("select count(*) from intermediate.int_changed_orders")[0][0])
    learn(whole, rows, LAST)
    whole.dbt("run")
    one, other = contents(by_night), contents(whole)
    last = repr(NIGHTS[LAST].date())
    one["features.customer_features"] = [row for row in one["features.customer_features"] if last in row]
    assert len(one["features.customer_features"]) > 80
    assert {name for name in other if one[name] != other[name]} == set()
    assert sizes[0] == moved[0] == 0
    assert 0 < moved[LAST] < len(other["features.customer_features"]) / 2
    assert 0 < sizes[LAST] < len(other["staging.stg_orders"]) / 2
