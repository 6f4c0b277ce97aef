"""Weeks and cohorts against orders that can be counted by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from regulars.home import Home
from regulars.warehouse import open_warehouse
from reporting.orders import EPOCH, load_cohorts, load_weeks

AS_OF = date(2025, 7, 1)


def orders(home: Home, *placed: tuple[str, date, float]) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("create schema if not exists intermediate")
        columns = "as_of_date date, customer_id varchar, ordered_day bigint, net_revenue decimal(18, 4)"
        warehouse.execute(f"create table intermediate.int_as_of_orders ({columns})")
        for customer, day, revenue in placed:
            row = [AS_OF, customer, (day - EPOCH).days, revenue]
            warehouse.execute("insert into intermediate.int_as_of_orders values (?, ?, ?, ?)", row)


def test_weeks_are_whole_end_on_the_day_before_and_count_empty_ones(empty_home: Home) -> None:
    yesterday = AS_OF - timedelta(days=1)
    orders(
        empty_home,
        ("a", yesterday, 10.0),
        ("a", yesterday - timedelta(days=6), 5.5),
        ("b", yesterday - timedelta(days=14), 7.0),
        ("c", yesterday - timedelta(days=23), 99.0),
    )
    with open_warehouse(empty_home) as warehouse:
        weeks = load_weeks(warehouse, AS_OF)
    assert [(week.orders_count, week.net_revenue) for week in weeks] == [(1, 7.0), (0, 0.0), (2, 15.5)]
    assert weeks[-1].first_day == AS_OF - timedelta(days=7)


def test_cohorts_are_calendar_months_and_the_running_month_is_left_out(empty_home: Home) -> None:
    orders(
        empty_home,
        ("a", date(2025, 3, 31), 1.0),
        ("a", date(2025, 4, 1), 1.0),
        ("a", date(2025, 4, 2), 1.0),
        ("b", date(2025, 3, 1), 1.0),
        ("b", date(2025, 6, 30), 1.0),
        ("c", date(2025, 5, 5), 1.0),
        ("d", date(2025, 6, 5), 1.0),
    )
    with open_warehouse(empty_home) as warehouse:
        cohorts = load_cohorts(warehouse, AS_OF)
    assert [(c.label, c.customers_count, list(c.shares)) for c in cohorts] == [
        ("Mar 2025", 2, [0.5, 0.0, 0.5]),
        ("May 2025", 1, [0.0]),
    ]


@pytest.mark.parametrize("day", [date(2025, 6, 28), date(2025, 6, 30)])
def test_a_history_shorter_than_a_week_has_no_week(empty_home: Home, day: date) -> None:
    orders(empty_home, ("a", day, 1.0))
    with open_warehouse(empty_home) as warehouse:
        assert load_weeks(warehouse, AS_OF) == []
        assert load_cohorts(warehouse, AS_OF) == []
