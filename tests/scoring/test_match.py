"""Matches, memberships and plays over several nights, on tables filled by hand."""

import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.registry import FORMULA_VERSION
from regulars.home import Home
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, NEXT_PRODUCTS, NIGHTS, Table
from regulars.warehouse import Warehouse, open_warehouse
from regulars.warehouse.duckdb import COLUMN_TYPES
from scoring.match import match
from tests.empty_warehouse import lay_empty_warehouse
from tests.scoring.fact_tables import create_facts

ROOT = Path(__file__).resolve().parents[2]
FIRST_NIGHT = date(2025, 6, 1)
EMPTY: dict[str, Any] = {"text": "x", "integer": 0, "double": 0.0, "boolean": False, "date": FIRST_NIGHT, "timestamp": datetime(2025, 1, 1)}
SEGMENT = {"why": "w", "offer": "o", "priority": 10, "membership": "lasting", "control_share": 0.0}

Customers = dict[str, dict[str, Any]]


class Shop:
    def __init__(self, folder: Path):
        shutil.copytree(ROOT / "config", folder / "config")
        shutil.rmtree(folder / "config" / "segments")
        (folder / "config" / "segments").mkdir()
        self.home = Home.at(folder)
        lay_empty_warehouse(self.home)
        with open_warehouse(self.home) as warehouse:
            for schema in ("features", "staging", "intermediate"):
                warehouse.execute(f"create schema if not exists {schema}")
            columns = ", ".join(f"{column.name} {COLUMN_TYPES[column.type]}" for column in CUSTOMER_FEATURES.columns)
            warehouse.execute(f"create table {CUSTOMER_FEATURES.qualified_name} ({columns})")
            warehouse.execute(
                "create table staging.stg_consents (account_id varchar, channel varchar, status varchar,"
                " changed_at timestamp, known_at timestamp, superseded_at timestamp)"
            )
            warehouse.execute(
                "create table intermediate.int_account_person_periods"
                " (account_id varchar, customer_id varchar, known_at timestamp, superseded_at timestamp)"
            )
            create_facts(warehouse)

    def segment(self, name: str, **keys: Any) -> None:
        file = self.home.config / "segments" / f"{name}.yml"
        file.write_text(yaml.safe_dump(SEGMENT | {"title": name} | keys))

    def consent(self, customer: str, status: str, account: str = "", changed_at: datetime = datetime(2025, 1, 1)) -> None:
        account = account or customer
        with open_warehouse(self.home) as warehouse:
            warehouse.execute(
                "insert into staging.stg_consents values (?, 'email', ?, ?, ?, null)", [account, status, changed_at, changed_at]
            )
            warehouse.execute("insert into intermediate.int_account_person_periods values (?, ?, '0001-01-01', null)", [account, customer])

    def night(self, day: int, customers: Customers) -> None:
        as_of = FIRST_NIGHT + timedelta(days=day)
        with open_warehouse(self.home) as warehouse:
            if not warehouse.rows("select 1 from control.nights where as_of_date = ?", [as_of]):
                _insert(warehouse, NIGHTS, as_of_date=as_of, known_until=datetime.combine(as_of, datetime.min.time()) + timedelta(hours=5))
            for table in (CUSTOMER_FEATURES, CUSTOMER_SCORES):
                warehouse.execute(f"delete from {table.qualified_name} where as_of_date = ?", [as_of])
                for name, values in customers.items():
                    of_night = {"days_since_last_order": 1000, "model_version": FORMULA_VERSION, "as_of_date": as_of}
                    _insert(warehouse, table, customer_id=name, **(of_night | values))
        match(self.home, as_of)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.home) as warehouse:
            return warehouse.rows(sql)

    def members(self, day: int, segment: str) -> set[str]:
        as_of = FIRST_NIGHT + timedelta(days=day)
        found = self.rows(
            f"select customer_id from segments.segment_memberships where as_of_date = date '{as_of}' and segment = '{segment}'"
        )
        return {row[0] for row in found}

    def plays(self, day: int) -> dict[str, str]:
        as_of = FIRST_NIGHT + timedelta(days=day)
        return dict(self.rows(f"select customer_id, segment from segments.plays where as_of_date = date '{as_of}'"))


def _insert(warehouse: Warehouse, table: Table, **values: Any) -> None:
    row = {column.name: values.get(column.name, EMPTY[column.type]) for column in table.columns}
    marks = ", ".join("?" for _ in row)
    warehouse.execute(f"insert into {table.qualified_name} ({', '.join(row)}) values ({marks})", list(row.values()))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


FITS, DOES_NOT = {"orders_count": 5}, {"orders_count": 1}


def test_a_lasting_membership_holds_while_the_rule_fits(shop: Shop) -> None:
    shop.segment("loyal", who="orders_count >= 4")
    shop.night(0, {"a": FITS, "b": DOES_NOT})
    shop.night(1, {"a": FITS, "b": FITS})
    shop.night(2, {"a": DOES_NOT, "b": FITS})
    assert [shop.members(day, "loyal") for day in range(3)] == [{"a"}, {"a", "b"}, {"b"}]
    entered = shop.rows("select customer_id, entered_on from segments.segment_memberships where as_of_date = date '2025-06-03'")
    assert entered == [("b", date(2025, 6, 2))]


def test_a_transient_membership_ends_by_itself_or_with_an_order_and_then_rests(shop: Shop) -> None:
    shop.segment("nudge", who="orders_count = 1", membership="transient", held_days=3, cool_down_days=5)
    ordered = {"orders_count": 2, "days_since_last_order": 1}
    nights: list[Customers] = [{"a": DOES_NOT, "b": DOES_NOT}, {"a": FITS, "b": DOES_NOT}, {"a": FITS, "b": ordered}]
    nights += [{"a": DOES_NOT, "b": DOES_NOT}] * 7
    for day, customers in enumerate(nights):
        shop.night(day, customers)
    stays = [shop.members(day, "nudge") for day in range(10)]
    assert stays[:4] == [{"a", "b"}, {"a", "b"}, {"a"}, set()]
    assert [day for day in range(10) if "b" in stays[day]] == [0, 1, 7, 8, 9]
    assert [day for day in range(10) if "a" in stays[day]] == [0, 1, 2, 8, 9]


def test_the_cap_keeps_who_is_there_then_the_most_at_risk(shop: Shop) -> None:
    shop.segment("few", who="orders_count >= 4", size_cap=2)
    at_risk: Callable[[float], dict[str, Any]] = lambda value: FITS | {"value_at_risk": value}  # noqa: E731
    shop.night(0, {"a": at_risk(1), "b": at_risk(3), "c": at_risk(2)})
    shop.night(1, {"a": at_risk(9), "b": at_risk(3), "c": at_risk(2), "d": at_risk(99)})
    assert shop.members(0, "few") == shop.members(1, "few") == {"b", "c"}


def test_the_same_night_again_changes_nothing(shop: Shop) -> None:
    shop.segment("loyal", who="orders_count >= 4", control_share=0.4)
    customers = {f"c{number}": FITS for number in range(50)}
    for name in customers:
        shop.consent(name, "granted")
    shop.night(0, customers)
    tables = ("segment_matches", "segment_memberships", "plays")
    before = [shop.rows(f"select * from segments.{table} order by all") for table in tables]
    shop.night(0, customers)
    assert [shop.rows(f"select * from segments.{table} order by all") for table in tables] == before
    assert before[2]


def test_reasons_and_next_products_of_so_many_nights_stay_and_the_lists_of_all(shop: Shop) -> None:
    shop.segment("loyal", who="orders_count >= 4")
    file = shop.home.config / "prediction.yml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"keep_feature_nights": 2}))
    for day in range(4):
        shop.night(day, {"a": FITS})
        with open_warehouse(shop.home) as warehouse:  # nothing is sold here that could be recommended
            _insert(warehouse, NEXT_PRODUCTS, customer_id="a", as_of_date=FIRST_NIGHT + timedelta(days=day))
    nights = {
        table: [(as_of - FIRST_NIGHT).days for (as_of,) in shop.rows(f"select as_of_date from {table} order by 1")]
        for table in ("scores.customer_reasons", "scores.next_products", "segments.segment_memberships")
    }
    assert nights == {
        "scores.customer_reasons": [2, 3],
        "scores.next_products": [2, 3],
        "segments.segment_memberships": [0, 1, 2, 3],
    }


def test_a_control_arm_is_kept_for_ever(shop: Shop) -> None:
    customers = {f"c{number}": FITS for number in range(400)}
    shop.segment("loyal", who="orders_count >= 4", control_share=0.25)
    shop.night(0, customers)
    members = shop.members(0, "loyal")
    assert 0.65 < len(members) / 400 < 0.85
    shop.segment("loyal", who="orders_count >= 4", control_share=0.0)
    shop.night(1, customers | {"new": FITS})
    assert shop.members(1, "loyal") == members | {"new"}


@pytest.mark.parametrize(
    ("words", "permission"),
    [
        ([], "unknown"),
        ([("a", "granted", datetime(2025, 1, 1))], "granted"),
        ([("a", "granted", datetime(2025, 1, 1)), ("a", "denied", datetime(2025, 2, 1))], "denied"),
        ([("a", "denied", datetime(2025, 1, 1)), ("a", "granted", datetime(2025, 2, 1))], "granted"),
        ([("a", "granted", datetime(2025, 1, 1)), ("second", "denied", datetime(2024, 1, 1))], "denied"),
        ([("a", "granted", datetime(2025, 1, 1)), ("a", "denied", datetime(2025, 6, 1, 2))], "denied"),
        ([("a", "granted", datetime(2025, 1, 1)), ("a", "denied", datetime(2025, 6, 1, 9))], "denied"),
        ([("a", "granted", datetime(2025, 1, 1)), ("a", "denied", datetime(2025, 1, 1))], "denied"),
    ],
    ids=["never asked", "granted", "withdrawn", "granted again", "another account denies", "after midnight", "after the night", "at once"],
)
def test_only_a_standing_consent_permits(shop: Shop, words: list[tuple[str, str, datetime]], permission: str) -> None:
    shop.segment("loyal", who="orders_count >= 4")
    for account, status, changed_at in words:
        shop.consent("a", status, account, changed_at)
    shop.night(0, {"a": FITS})
    assert shop.rows("select contact_permission from segments.segment_memberships") == [(permission,)]
    assert shop.plays(0) == ({"a": "loyal"} if permission == "granted" else {})


def test_one_play_a_channel_by_priority_and_no_second_within_the_cool_down(shop: Shop) -> None:
    shop.segment("urgent", who="churn_probability > 0.5", priority=1, membership="transient", held_days=9, cool_down_days=3)
    shop.segment("loyal", who="orders_count >= 4", priority=2, cool_down_days=3)
    shop.consent("a", "granted")
    customers: Customers = {"a": FITS | {"churn_probability": 0.9}}
    for day in range(5):
        shop.night(day, customers)
    assert shop.members(0, "loyal") == shop.members(0, "urgent") == {"a"}
    assert [shop.plays(day) for day in range(5)] == [{"a": "urgent"}, {}, {}, {"a": "loyal"}, {}]
