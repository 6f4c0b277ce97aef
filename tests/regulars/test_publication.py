"""The published copy is what the warehouse holds, however much of the last one it is made from."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from regulars.home import Home
from regulars.warehouse import DuckDBWarehouse, open_warehouse
from regulars.warehouse.duckdb import connect
from regulars.warehouse.publication import KEPT_FOR_SOME_NIGHTS, SLICES

ROOT = Path(__file__).resolve().parents[2]
MONDAY, TUESDAY, WEDNESDAY = date(2025, 6, 30), date(2025, 7, 1), date(2025, 7, 2)
PLAYS = "segments.plays"


def play(warehouse: DuckDBWarehouse, night: date, offer: str, count: int = 50_000) -> None:
    warehouse.execute(f"delete from {PLAYS} where as_of_date = ?", [night])
    warehouse.execute(
        f"insert into {PLAYS} select md5(range::varchar), ?, 'email', 'loyal', ?, ? from range({count})", [night, offer, night]
    )


def held(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with connect(file, read_only=True) as database:
        names = database.execute("select concat(schema_name, '.', table_name) from duckdb_tables() order by 1").fetchall()
        return {name: database.execute(f"select count(*), sum(hash(t)) from {name} as t").fetchall() for (name,) in names}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that has published two nights, and whose warehouse holds a table of persons."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    home = Home.at(tmp_path)
    with open_warehouse(home) as warehouse:
        assert isinstance(warehouse, DuckDBWarehouse)
        play(warehouse, MONDAY, "tea")
        play(warehouse, TUESDAY, "coffee")
        warehouse.execute("create table private.persons as select 'ann@example.org' as email")
        warehouse.publish()
    return home


def nothing(_: DuckDBWarehouse) -> None:
    pass


def another_night(warehouse: DuckDBWarehouse) -> None:
    play(warehouse, WEDNESDAY, "milk", 3)


def a_night_again(warehouse: DuckDBWarehouse) -> None:
    play(warehouse, TUESDAY, "cocoa")


def one_row_less(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute(f"delete from {PLAYS} where as_of_date = ? and customer_id = md5('7')", [MONDAY])


def two_rows_exchanged(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute(f"update {PLAYS} set channel = 'post' where as_of_date = ? and customer_id in (md5('7'), md5('8'))", [MONDAY])


def a_new_column(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute(f"alter table {PLAYS} add column price double")


def a_table_less(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute("drop table segments.segment_matches")


def a_row_without_a_slice(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute("insert into control.exclusions values ('r', 's', 't', 'x', 1)")


@pytest.mark.parametrize(
    "happens",
    [nothing, another_night, a_night_again, one_row_less, two_rows_exchanged, a_new_column, a_table_less, a_row_without_a_slice],
)
def test_it_is_the_warehouse(home: Home, happens: Callable[[DuckDBWarehouse], None]) -> None:
    with open_warehouse(home) as warehouse:
        assert isinstance(warehouse, DuckDBWarehouse)
        happens(warehouse)
        warehouse.publish()
    own, published = held(home.warehouse), held(home.published_warehouse)
    assert published == {name: own[name] for name in own if name.split(".")[0] not in ("private", "raw", "staging", "intermediate")}
    assert PLAYS in published.keys() & SLICES.keys()
    assert (b"coffee" in home.published_warehouse.read_bytes()) == (happens is not a_night_again)
    assert home.published_warehouse.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("is_scored", [True, False])
@pytest.mark.parametrize("name", KEPT_FOR_SOME_NIGHTS)
def test_what_grew_old_leaves_the_copy_as_it_is_unless_nothing_else_tells_of_its_customers(home: Home, name: str, is_scored: bool) -> None:
    with open_warehouse(home) as warehouse:
        assert isinstance(warehouse, DuckDBWarehouse)
        nights = "select date '2025-06-30' + night::integer as as_of_date, customer::varchar as customer_id"
        warehouse.execute("create schema if not exists features")
        warehouse.execute(f"create or replace table {name} as {nights} from range(2) n(night), range(1000) c(customer)")
        if is_scored:
            insert = "insert into scores.customer_scores by name select as_of_date, customer_id, 0.5 as churn_probability, 90 as"
            rest = "0 as expected_value, 365 as value_horizon_days, 0 as value_at_risk, 'EUR' as currency, 'm' as model_version"
            warehouse.execute(f"{insert} churn_horizon_days, {rest}, 'rules' as scored_by from {name}")
        warehouse.publish()
        warehouse.execute(f"delete from {name} where as_of_date = '2025-06-30'")
        warehouse.publish()
    assert held(home.published_warehouse)[name] == held(home.warehouse)[name]
    with connect(home.published_warehouse, read_only=True) as database:
        ((first_row,),) = database.execute(f"select min(rowid) from {name}").fetchall()
    assert (first_row > 0) == is_scored, "what is written anew begins at the first row"


def test_a_damaged_copy_is_made_anew(home: Home) -> None:
    before = held(home.published_warehouse)
    home.published_warehouse.write_bytes(home.published_warehouse.read_bytes()[:20_000] + b"\0" * 400_000)
    with open_warehouse(home) as warehouse:
        warehouse.publish()
    assert held(home.published_warehouse) == before
