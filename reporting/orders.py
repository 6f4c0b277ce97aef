"""The shop's orders: week by week, and who of a month's new customers came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from regulars.warehouse import Warehouse
from reporting.charts.canvas import Canvas
from reporting.charts.heat_map import Cohort, cohort_heat_map
from reporting.charts.weeks import weekly_area
from reporting.figure import FULL, Absent, DataTable, Figure, figure
from reporting.night import Night
from reporting.numbers import count, percent, short_date

ORDERS_TABLE = "intermediate.int_as_of_orders"
"""dbt's orders that count on an as_of, refunds subtracted; it keeps the as_of dates of the latest build only."""

EPOCH = date(1970, 1, 1)
WEEKS = 104
MONTHS = 24
NO_ORDERS = "The orders of this night are not at hand: the features were last built for another date."


@dataclass(frozen=True)
class Week:
    first_day: date
    orders_count: int
    net_revenue: float


def orders_at_hand(warehouse: Warehouse, as_of: date) -> bool:
    """Whether dbt's orders of this as_of are in the warehouse."""
    return warehouse.exists(ORDERS_TABLE) and bool(warehouse.rows(f"select 1 from {ORDERS_TABLE} where as_of_date = ? limit 1", [as_of]))


def load_weeks(warehouse: Warehouse, as_of: date) -> list[Week]:
    """Whole weeks up to the day before `as_of`, two years of them at most; weeks without an order included."""
    last_day = (as_of - EPOCH).days - 1
    rows = warehouse.rows(
        f"""
        select cast(floor(({last_day} - ordered_day) / 7.0) as integer) as weeks_ago, count(*), sum(cast(net_revenue as decimal(18, 4)))
        from {ORDERS_TABLE} where as_of_date = ? and ordered_day > {last_day - 7 * WEEKS}
        group by 1 order by 1
        """,
        [as_of],
    )
    first_order = warehouse.rows(f"select min(ordered_day) from {ORDERS_TABLE} where as_of_date = ?", [as_of])[0][0]
    found = {ago: (int(orders), float(revenue)) for ago, orders, revenue in rows}
    weeks_count = min(WEEKS, (last_day - first_order + 1) // 7)
    return [Week(as_of - timedelta(weeks=ago + 1), *found.get(ago, (0, 0.0))) for ago in reversed(range(weeks_count))]


def weekly_orders(warehouse: Warehouse, night: Night) -> list[Figure | Absent]:
    """Orders and revenue, one chart each: two scales on one chart would say what the scales say."""
    weeks = load_weeks(warehouse, night.as_of) if orders_at_hand(warehouse, night.as_of) else None
    if not weeks:
        why = NO_ORDERS if weeks is None else "The shop's history is shorter than a week."
        return [Absent("Orders and revenue", why)]
    money = night.money
    span = f"Whole weeks to {short_date(night.as_of - timedelta(days=1))}, cancelled and wholly refunded orders left out."
    table = DataTable(
        ("Week from", "Orders", "Net revenue"),
        [(short_date(week.first_day), count(week.orders_count), money.full(week.net_revenue)) for week in reversed(weeks)],
    )

    def orders(width: float) -> Canvas:
        return weekly_area(width, 210, weeks[0].first_day, [float(week.orders_count) for week in weeks], "Orders a week", count)

    def revenue(width: float) -> Canvas:
        return weekly_area(width, 210, weeks[0].first_day, [week.net_revenue for week in weeks], "Net revenue a week", money.short)

    return [
        figure("orders", _year_on_year("orders", [float(week.orders_count) for week in weeks]), span, orders, table),
        figure("revenue", _year_on_year("revenue", [week.net_revenue for week in weeks]), span, revenue, table),
    ]


def _year_on_year(what: str, weeks: list[float]) -> str:
    verb = "are" if what == "orders" else "is"
    name = what.capitalize()
    if len(weeks) < 64 or sum(weeks[-64:-52]) <= 0:
        return f"{name} week by week"
    ratio = sum(weeks[-12:]) / sum(weeks[-64:-52]) - 1
    if abs(ratio) < 0.01:
        return f"{name} of the last twelve weeks {verb} level with a year ago"
    return f"{name} of the last twelve weeks {verb} {percent(abs(ratio))} {'above' if ratio > 0 else 'below'} a year ago"


def load_cohorts(warehouse: Warehouse, as_of: date) -> list[Cohort]:
    """Months of first orders, the oldest first, and the share that ordered in each whole calendar month after."""
    rows = warehouse.rows(
        f"""
        with order_months as (
            select
                customer_id,
                cast(extract(year from ordered_date) as integer) * 12 + cast(extract(month from ordered_date) as integer) - 1 as month
            from (
                select customer_id, cast('1970-01-01' as date) + cast(ordered_day as integer) as ordered_date
                from {ORDERS_TABLE} where as_of_date = ?
            ) as orders
            group by 1, 2
        ),
        first_months as (
            select customer_id, min(month) as first_month from order_months group by customer_id
        )
        select first_month, month - first_month, count(*)
        from order_months inner join first_months on order_months.customer_id = first_months.customer_id
        group by 1, 2 order by 1, 2
        """,
        [as_of],
    )
    running_month = as_of.year * 12 + as_of.month - 1
    counts = {(first, after): customers for first, after, customers in rows}
    first_months = sorted({first for first, _ in counts})
    return [
        Cohort(
            f"{date(first // 12, first % 12 + 1, 1):%b %Y}",
            counts[first, 0],
            [counts.get((first, after), 0) / counts[first, 0] for after in range(1, running_month - first)],
        )
        for first in first_months
        if running_month - first > 1
    ]


def cohort_retention(warehouse: Warehouse, night: Night) -> Figure | Absent:
    """The heat map of cohorts, with a finding about the second month on."""
    if not orders_at_hand(warehouse, night.as_of):
        return Absent("Who comes back", NO_ORDERS)
    cohorts = load_cohorts(warehouse, night.as_of)
    if not cohorts:
        return Absent("Who comes back", "The shop's history is shorter than two whole months.")
    firsts = sum(cohort.customers_count for cohort in cohorts)
    returned = sum(cohort.shares[0] * cohort.customers_count for cohort in cohorts)
    months = min(MONTHS, max(len(cohort.shares) for cohort in cohorts))
    rows = []
    for cohort in cohorts:
        shares = [percent(share) for share in cohort.shares[:months]]
        rows.append((cohort.label, count(cohort.customers_count), *shares, *[""] * (months - len(shares))))
    return figure(
        "cohorts",
        f"{percent(returned / firsts)} of new customers order again in the month after their first",
        "One row for everyone whose first order fell into that month; the cells are whole calendar months, "
        "in per cent of the row’s customers.",
        lambda width: cohort_heat_map(width, cohorts),
        DataTable(("First order", "Customers", *(f"Month {month + 1}" for month in range(months))), rows),
        FULL,
    )
