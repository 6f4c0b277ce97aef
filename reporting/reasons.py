"""Why customers on the lists are at risk, and why they may be leaving: how many each reason was told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from regulars.tables import CUSTOMER_REASONS
from regulars.warehouse import Warehouse
from reporting.charts.bars import Bar, horizontal_bars
from reporting.figure import HALF, Absent, DataTable, Figure, figure
from reporting.numbers import count, percent

REASONS = CUSTOMER_REASONS.qualified_name

CONCEPTS: Mapping[str, str] = {
    "silence": "How long they are silent",
    "frequency": "How often they ordered",
    "trend": "Less than before",
    "spend": "What they spend",
    "basket": "How much of the range they buy",
    "category": "What they buy",
    "discounts": "Discounts",
    "returns": "What came back",
    "season": "The season",
    "weekday": "The day of the week",
}
"""What a reason speaks of, as people call it."""

LEAVING: Mapping[str, str] = {
    "dissatisfied": "Dissatisfied",
    "gone_to_competitor": "Gone to a competitor",
    "no_longer_needs_it": "No longer need it",
    "feels_uncared_for": "Feel uncared for",
    "not_known": "Not known",
}


def told_reasons(warehouse: Warehouse, as_of: date) -> Figure | Absent:
    """Of how many customers at risk each concept is told."""
    told = " union all ".join(f"select concept_{number} as concept from at_risk" for number in (1, 2, 3))
    rows = warehouse.rows(
        f"""
        with at_risk as (select concept_1, concept_2, concept_3 from {REASONS} where as_of_date = ? and is_at_risk)
        select concept, count(*) from ({told}) as told where concept is not null group by concept order by 2 desc, 1
        """,
        [as_of],
    )
    if not rows:
        return Absent("Why customers are at risk", "No reason was told of a customer on a list on this night.")
    named = [(CONCEPTS[concept], found) for concept, found in rows]
    return _counts(
        "reasons",
        f"Most often told of customers at risk: {named[0][0][0].lower()}{named[0][0][1:]}",
        "Customers on a list with a churn probability of at least a half, by what their reasons speak of; up to three each.",
        ("Reason", "Customers"),
        named,
        _customers_at_risk(warehouse, as_of),
    )


def leaving_reasons(warehouse: Warehouse, as_of: date) -> Figure | Absent:
    """How many customers at risk there is which evidence of."""
    found = dict(
        warehouse.rows(f"select likely_reason_for_leaving, count(*) from {REASONS} where as_of_date = ? and is_at_risk group by 1", [as_of])
    )
    total = sum(found.values())
    if not total:
        return Absent("Why they may be leaving", "No customer on a list is at risk on this night.")
    known = total - found.get("not_known", 0)
    return _counts(
        "leaving",
        f"The orders hint why {percent(known / total)} of those at risk may be leaving",
        "Customers on a list with a churn probability of at least a half, by the likely reason for leaving. It is a hypothesis from "
        "what stands in the orders; the lists say for each customer what it rests on.",
        ("Likely reason", "Customers"),
        [(name, found.get(reason, 0)) for reason, name in LEAVING.items()],
        total,
    )


def _customers_at_risk(warehouse: Warehouse, as_of: date) -> int:
    return int(warehouse.rows(f"select count(*) from {REASONS} where as_of_date = ? and is_at_risk", [as_of])[0][0])


def _counts(key: str, title: str, note: str, headers: tuple[str, str], named: Sequence[tuple[str, int]], total: int) -> Figure:
    return figure(
        key,
        title,
        note,
        lambda width: horizontal_bars(
            width,
            [Bar(name, found, count(found), tip=f"{name}: {count(found)} of {count(total)} customers at risk") for name, found in named],
        ),
        DataTable((*headers, "Share"), [(name, count(found), percent(found / total, 1)) for name, found in named]),
        HALF,
    )
