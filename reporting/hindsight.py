"""What was said on a past night and what has happened since: by tenth, by list, and those left alone kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from regulars.hindsight import COLUMNS, JudgedNight, Outcome, judged_customers, outcome_columns, outcome_of
from regulars.id_lists import one_by_one
from regulars.state import State
from regulars.tables import PLAYS, SEGMENT_MATCHES, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse

TENTHS = 10
QUANTILES = (("value_q50", 0.5), ("value_q80", 0.2), ("value_q90", 0.1))
"""Stated amounts, and the share of the customers who should come out above them at most."""


@dataclass(frozen=True)
class ListOutcome:
    """The customers of one segment on the judged night: those on its list, and those in its control group.

    `written_to_count` of those on the list were contacted within the horizon, for this segment or another.
    """

    segment: str
    members: Outcome
    written_to_count: int
    controls: Outcome


@dataclass(frozen=True)
class Hindsight:
    """One judged night, for churn (customers who order) or for value (money).

    `above` is the share of the customers above each of `QUANTILES`, None where none was stated.
    """

    night: JudgedNight
    whole: Outcome
    written_to: Outcome
    left_alone: Outcome
    tenths: Sequence[Outcome]
    lists: Sequence[ListOutcome]
    above: tuple[float | None, ...]


def load_hindsight(warehouse: Warehouse, state: State, night: JudgedNight, tonight: date) -> Hindsight:
    """How the night came out, by what `tonight` (an as_of) knows.

    Who is written to may order because of it: those who were, at any time within the horizon, are a group of their own.
    """
    sql, parameters = judged_customers(night, tonight)
    warehouse.create_temporary(
        "judged",
        f"""
        as
        select judged.*, case when written_to.customer_id is null then 0 else 1 end as is_written_to,
            ntile({TENTHS}) over (order by judged.{COLUMNS[night.target]}, judged.customer_id) as tenth
        from ({sql}) as judged
        left join (select distinct customer_id from {PLAYS.qualified_name} where as_of_date >= ? and as_of_date < ?) as written_to
            on judged.customer_id = written_to.customer_id
        """,
        [*parameters, night.as_of, night.as_of + timedelta(days=night.days)],
    )
    columns = outcome_columns(night.target)
    by_contact = {row[0]: outcome_of(row[1:]) for row in warehouse.rows(f"select is_written_to, {columns} from judged group by 1")}
    nobody = Outcome(0, 0.0, 0.0, 0.0)
    shares = ", ".join(
        f"avg(case when {column} is null then null when net_revenue > {column} then 1.0 else 0.0 end)" for column, _ in QUANTILES
    )
    return Hindsight(
        night,
        outcome_of(warehouse.rows(f"select {columns} from judged")[0]),
        by_contact.get(1, nobody),
        by_contact.get(0, nobody),
        [outcome_of(row[1:]) for row in warehouse.rows(f"select tenth, {columns} from judged group by tenth order by tenth")],
        _lists(warehouse, state, night),
        tuple(None if share is None else float(share) for share in warehouse.rows(f"select {shares} from judged")[0]),
    )


def _lists(warehouse: Warehouse, state: State, night: JudgedNight) -> list[ListOutcome]:
    """By segment: members of its list on that night, and who fitted its rule and stood in its control group."""
    with state.connection() as connection:
        arms = connection.execute(
            "select segment, persons from control_arms where arm = 'control' and assigned_on <= ?", [str(night.as_of)]
        )
        controls = one_by_one([tuple(row) for row in arms], ("segment", "customer_id"))
    warehouse.create_temporary("controls", "(customer_id varchar, segment varchar)")
    warehouse.append_temporary("controls", controls)
    rows = warehouse.rows(
        f"""
        select listed.segment, listed.is_control, sum(judged.is_written_to), {outcome_columns(night.target)}
        from (
            select customer_id, segment, 0 as is_control from {SEGMENT_MEMBERSHIPS.qualified_name} where as_of_date = ?
            union all
            select matches.customer_id, matches.segment, 1 as is_control
            from {SEGMENT_MATCHES.qualified_name} as matches
            inner join controls on matches.customer_id = controls.customer_id and matches.segment = controls.segment
            where matches.as_of_date = ?
        ) as listed
        inner join judged on listed.customer_id = judged.customer_id
        group by listed.segment, listed.is_control order by listed.segment, listed.is_control
        """,
        [night.as_of, night.as_of],
    )
    found = {(segment, is_control): (int(written_to), outcome_of(tuple(row))) for segment, is_control, written_to, *row in rows}
    nobody = (0, Outcome(0, 0.0, 0.0, 0.0))
    lists = []
    for segment in sorted({segment for segment, _ in found}):
        (written_to, members), (_, controlled) = found.get((segment, 0), nobody), found.get((segment, 1), nobody)
        lists.append(ListOutcome(segment, members, written_to, controlled))
    return lists
