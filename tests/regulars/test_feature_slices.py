"""A training computes no slice that stands, and no slice of a night is ever replaced by one of fewer customers."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from regulars.dbt import set_as_of_dates
from regulars.feature_slices import AsOfRow, for_training, forget_slices_that_knew_less, prune_nights, prune_trainings, record_slices
from regulars.home import Home
from regulars.run import Run, open_run
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse, open_warehouse

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2025, 7, 1)
DATES = [AS_OF - timedelta(days=days) for days in (112, 84, 56, 0)]
CUSTOMERS = 4_000


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    draw(tmp_path, 1_000)
    return open_run(Home.at(tmp_path), "training", AS_OF)


@pytest.fixture
def warehouse(run: Run) -> Iterator[Warehouse]:
    with open_warehouse(run.home) as warehouse:
        warehouse.execute("create schema if not exists intermediate")
        warehouse.execute(
            "create table intermediate.int_orders as "
            f"select range::varchar as customer_id, 20000 as ordered_day, null::timestamp as superseded_at from range({CUSTOMERS})"
        )
        yield warehouse


def draw(home: Path, max_rows: int) -> None:
    settings = {"churn_horizon_days": 90, "value_horizon_days": 365, "training": {"max_rows": max_rows}}
    (home / "config" / "prediction.yml").write_text(yaml.safe_dump(settings))


def asked_for() -> list[AsOfRow]:
    return [AsOfRow(day, datetime.combine(day, datetime.min.time()), "training") for day in DATES]


def compute(warehouse: Warehouse, run: Run) -> list[str]:
    """What each date of a training is to compute: nothing but outcomes, or features of all customers, or of which."""
    rows = for_training(warehouse, run, asked_for())
    set_as_of_dates(warehouse, run, rows)
    record_slices(warehouse, run)
    return ["stands" if row.purpose == "outcomes" else row.sampled_below or "all" for row in rows]


def test_what_stands_is_not_computed_again(run: Run, warehouse: Warehouse) -> None:
    # 16,000 rows of which 10,000 are wanted: 5/8 of the customers.
    assert compute(warehouse, run) == ["a000"] * 4
    assert compute(warehouse, run) == ["stands"] * 4
    draw(run.home.path, 1_200)
    assert compute(warehouse, replace(run, settings=HomeSettings(run.home))) == ["c000"] * 4


def test_a_late_row_has_what_should_have_known_it_computed_again(run: Run, warehouse: Warehouse) -> None:
    compute(warehouse, run)
    known_at = datetime.combine(DATES[2], datetime.min.time()) - timedelta(hours=1)
    columns = "source, record_key, content_hash, known_at, is_known_at_assumed, event_at, run_id, file, line"
    names = "account_id, channel, status, changed_at"
    warehouse.execute(
        f"insert into raw.consents ({columns}, {names}) values ('s', 'k', 'h', ?, false, ?, 'late', 'f', 1, 'a', 'email', 'granted', ?)",
        [known_at] * 3,
    )
    forget_slices_that_knew_less(warehouse)
    assert compute(warehouse, run) == ["stands", "stands", "a000", "a000"]


def test_the_features_of_a_night_stay_those_of_all_customers(run: Run, warehouse: Warehouse) -> None:
    warehouse.execute(
        "insert into control.nights (as_of_date, known_until, run_id, config_hash) values (?, ?, 'r', 'c')",
        [DATES[1], asked_for()[1].known_until],
    )
    assert compute(warehouse, run) == ["a000", "all", "a000", "a000"]
    assert compute(warehouse, run) == ["stands"] * 4


def test_nights_keep_their_features_for_so_many_nights(run: Run, warehouse: Warehouse) -> None:
    """And a date that a training has learned from, for as long as one does."""
    nights = [AS_OF - timedelta(days=days) for days in range(40)]
    warehouse.execute("create schema if not exists features")
    for table in ("customer_features", "customer_outcomes"):
        warehouse.execute(f"create table features.{table} (as_of_date date, customer_id varchar)")
    for night in nights:
        warehouse.execute(
            "insert into control.nights (as_of_date, known_until, run_id, config_hash) values (?, ?, 'r', 'c')",
            [night, datetime.combine(night, datetime.min.time())],
        )
        warehouse.execute("insert into features.customer_features values (?, 'c')", [night])
    warehouse.execute("insert into features.customer_outcomes values (?, 'c')", [nights[28]])
    prune_nights(warehouse, run)
    standing = "select as_of_date from features.customer_features order by 1 desc"
    assert warehouse.rows(standing) == [(night,) for night in [*nights[:7], nights[28]]]
    prune_trainings(warehouse, run, nights[20])
    assert warehouse.rows(standing) == [(night,) for night in nights[:7]]
