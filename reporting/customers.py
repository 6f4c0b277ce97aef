"""The customers as a whole: how many, what they are worth, how likely they leave, and who holds the value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from regulars.tables import CUSTOMER_SCORES, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse
from reporting.charts.columns import ColumnChart
from reporting.figure import HALF, Absent, DataTable, Figure, figure
from reporting.night import Night
from reporting.numbers import count, percent

STEPS = 20
TENTHS = 10


@dataclass(frozen=True)
class CustomerBase:
    """Sums over all customers that were scored for one as_of; money in DECIMAL until it comes here."""

    customers_count: int
    expected_value: float
    value_at_risk: float
    contactable_count: int


def load_customer_base(warehouse: Warehouse, as_of: date) -> CustomerBase | None:
    """None when nobody was scored."""
    customers, expected, at_risk = warehouse.rows(
        f"""
        select count(*), sum(cast(expected_value as decimal(18, 4))), sum(cast(value_at_risk as decimal(18, 4)))
        from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?
        """,
        [as_of],
    )[0]
    if not customers:
        return None
    contactable = warehouse.rows(
        f"""
        select count(distinct customer_id)
        from {SEGMENT_MEMBERSHIPS.qualified_name} where as_of_date = ? and contact_permission = 'granted'
        """,
        [as_of],
    )[0][0]
    return CustomerBase(customers, float(expected), float(at_risk), contactable)


def churn_distribution(warehouse: Warehouse, night: Night) -> Figure | Absent:
    """Customers by churn probability, in steps of five per cent."""
    rows = warehouse.rows(
        f"""
        select cast(least(floor(churn_probability * {STEPS}), {STEPS - 1}) as integer) as step, count(*)
        from {CUSTOMER_SCORES.qualified_name} where as_of_date = ? group by 1 order by 1
        """,
        [night.as_of],
    )
    if not rows:
        return Absent("How likely customers are to leave", "Nobody was scored on this night.")
    counts = dict(rows)
    values = [float(counts.get(step, 0)) for step in range(STEPS)]
    total = sum(values)
    median = warehouse.rows(
        f"""
        select percentile_cont(0.5) within group (order by churn_probability)
        from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?
        """,
        [night.as_of],
    )[0][0]
    ranges = [f"{step * 100 // STEPS} to {(step + 1) * 100 // STEPS} %" for step in range(STEPS)]
    chart = ColumnChart(
        values,
        edges=[(0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1, "100 %")],
        base_title=f"probability of no order in the next {night.churn_horizon_days} days",
        tips=[f"{label}: {count(value)} customers" for label, value in zip(ranges, values, strict=True)],
        tick_text=count,
    )
    return figure(
        "churn",
        f"Half of the customers have a churn probability above {percent(median)}",
        f"Customers by churn probability, in steps of five per cent. Churn means no order within {night.churn_horizon_days} days.",
        chart.draw,
        DataTable(
            ("Churn probability", "Customers", "Share"),
            [(label, count(value), percent(value / total, 1)) for label, value in zip(ranges, values, strict=True)],
        ),
    )


def value_concentration(warehouse: Warehouse, night: Night) -> Figure | Absent:
    """Which share of the expected value each tenth of the customers holds."""
    rows = warehouse.rows(
        f"""
        with ranked as (
            select
                cast(expected_value as decimal(18, 4)) as expected_value,
                ntile({TENTHS}) over (order by expected_value desc, customer_id) as tenth
            from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?
        )
        select tenth, count(*), sum(expected_value) from ranked group by tenth order by tenth
        """,
        [night.as_of],
    )
    total = float(sum(row[2] for row in rows))
    if total <= 0:
        why = "Nobody was scored on this night." if not rows else "No customer is expected to bring revenue."
        return Absent("Who holds the value", why)
    amounts = [float(row[2]) for row in rows]
    shares = [amount / total for amount in amounts]
    chart = ColumnChart(
        shares,
        tops=[percent(share) for share in shares],
        edges=[(0, "the most valuable"), (1, "the least valuable")],
        base_title="tenths of the customers",
        highlighted=frozenset({0}),
        tips=[f"Tenth {number}: {night.money.full(amount)}" for number, amount in enumerate(amounts, start=1)],
    )
    return figure(
        "value",
        f"The most valuable tenth of the customers holds {percent(shares[0])} of the value",
        f"Customers in ten equal groups by expected value over {night.value_horizon_days} days: each group’s share of the whole.",
        chart.draw,
        DataTable(
            ("Tenth", "Customers", "Expected value", "Share"),
            [
                (str(row[0]), count(row[1]), night.money.full(amount), percent(share, 1))
                for row, amount, share in zip(rows, amounts, shares, strict=True)
            ],
        ),
        HALF,
    )
