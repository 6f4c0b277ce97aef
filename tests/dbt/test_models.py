"""The dbt project as a night runs it: on nothing, twice, one slice after another."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from regulars import tables

MARCH, APRIL = dt.date(2024, 3, 10), dt.date(2024, 4, 10)


at = dt.datetime.fromisoformat


def night(as_of_date: dt.date) -> tuple[dt.date, dt.datetime, str]:
    return as_of_date, dt.datetime.combine(as_of_date, dt.time(3)), "night"


def order(order_id: str, ordered_at: dt.datetime, **values: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "account_id": "a",
        "ordered_at": ordered_at,
        "net_revenue": 5,
        "currency": "GBP",
        "source": "shop",
        "record_key": order_id,
        "content_hash": "1",
        "event_at": ordered_at,
        "known_at": ordered_at,
        "is_known_at_assumed": True,
        "run_id": "r",
    } | values


def test_unit_tests_pass_and_an_empty_shop_builds(scratch_warehouse):
    scratch_warehouse.set_as_of_dates([night(MARCH)])
    results = scratch_warehouse.dbt("build")
    unit_tests = [result for result in results if result.node.resource_type == "unit_test"]
    assert len(unit_tests) >= 18
    assert {result.status for result in unit_tests} == {"pass"}


def test_a_build_replaces_its_slice_and_keeps_the_others(scratch_warehouse):
    read = "select as_of_date, customer_id, orders_count from features.customer_features order by all"
    scratch_warehouse.replace(tables.ORDERS, [order("o1", at("2024-03-01")), order("o2", at("2024-03-20"))])
    scratch_warehouse.set_as_of_dates([night(MARCH)])
    scratch_warehouse.build()
    scratch_warehouse.set_as_of_dates([night(APRIL)])
    scratch_warehouse.build("--select", "tag:staging")
    scratch_warehouse.build("--select", "tag:features")
    assert scratch_warehouse.run(read) == [(MARCH, "a", 1), (APRIL, "a", 2)]

    scratch_warehouse.replace(tables.ORDERS, [])
    scratch_warehouse.build()
    assert scratch_warehouse.run(read) == [(MARCH, "a", 1)], "a slice without rows any more is emptied"


def test_another_currency_fails_by_name(scratch_warehouse, dbt_project):
    scratch_warehouse.set_as_of_dates([night(MARCH)])
    scratch_warehouse.replace(tables.ORDERS, [order("o1", at("2024-03-01"), currency="EUR")])
    with pytest.raises(AssertionError, match="amounts_are_in_the_reporting_currency"):
        scratch_warehouse.build("--select", "tag:staging")


def test_a_day_begins_in_shop_time(scratch_warehouse):
    """23:30 UTC on 9 March is 10 March in Berlin: not before the as_of of the 10th."""
    scratch_warehouse.set_as_of_dates([night(MARCH)])
    scratch_warehouse.replace(tables.ORDERS, [order("o1", at("2024-03-09 23:30")), order("o2", at("2024-03-09 22:30"))])
    scratch_warehouse.set_parameters(time_zone="Europe/Berlin")
    scratch_warehouse.build()
    assert scratch_warehouse.run("select order_id from intermediate.int_as_of_orders") == [("o2",)]


def test_a_person_is_one_row_with_the_newest_data(scratch_warehouse):
    def customer(account_id: str, known_at: dt.datetime, **values: Any) -> dict[str, Any]:
        version = order(account_id, known_at, account_id=account_id, normalised_email="a@example.com")
        return {name: value for name, value in version.items() if name in tables.CUSTOMERS.column_names} | values

    scratch_warehouse.set_as_of_dates([night(MARCH)])
    scratch_warehouse.replace(
        tables.CUSTOMERS,
        [
            customer("guest-1", at("2024-01-01"), first_name="Ann"),
            customer("7", at("2024-02-01"), first_name="Anne", registered_at=at("2024-02-01")),
            customer("7", at("2024-02-05"), first_name="Anna", registered_at=at("2024-02-01"), content_hash="2"),
        ],
    )
    scratch_warehouse.replace(
        tables.ORDERS,
        [order("o1", at("2024-01-01"), account_id="guest-1"), order("o2", at("2024-02-02"), account_id="7")],
    )
    scratch_warehouse.build()
    assert scratch_warehouse.run("select customer_id, account_id, first_name from private.stg_customers") == [("guest-1", "7", "Anna")]
    assert scratch_warehouse.run("select customer_id, orders_count from features.customer_features") == [("guest-1", 2)]
