"""The segments: who stands on each list, who came and went, what they are worth and who may be contacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from regulars.segment import Segment
from regulars.tables import CUSTOMER_SCORES, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse
from reporting.charts.bars import Bar, horizontal_bars
from reporting.charts.movement import ListMovement, sizes_and_movement
from reporting.figure import FULL, Absent, DataTable, Figure, figure
from reporting.night import Night
from reporting.numbers import count, short_date

MEMBERSHIPS = SEGMENT_MEMBERSHIPS.qualified_name


@dataclass(frozen=True)
class SegmentFigures:
    """One segment on one night. Money is over the members; entered and left against the last night with lists."""

    name: str
    title: str
    why: str
    offer: str
    channel: str
    customers_count: int
    entered_count: int
    left_count: int
    expected_value: float
    value_at_risk: float
    granted_count: int
    denied_count: int
    unknown_count: int

    @property
    def granted_share(self) -> float | None:
        return self.granted_count / self.customers_count if self.customers_count else None


def previous_lists(warehouse: Warehouse, as_of: date) -> date | None:
    """The last as_of before `as_of` with lists; None on a first night, and on one that made no lists and thus moved nobody."""
    if not warehouse.rows(f"select 1 from {MEMBERSHIPS} where as_of_date = ? limit 1", [as_of]):
        return None
    before: date | None = warehouse.rows(f"select max(as_of_date) from {MEMBERSHIPS} where as_of_date < ?", [as_of])[0][0]
    return before


def load_segment_figures(warehouse: Warehouse, catalogue: Sequence[Segment], as_of: date, before: date | None) -> list[SegmentFigures]:
    """Every segment of the catalogue by priority, then those that only the lists still know; moved since the lists of `before`."""
    rows = warehouse.rows(
        f"""
        with tonight as (
            select customer_id, segment, contact_permission from {MEMBERSHIPS} where as_of_date = ?
        ),
        before as (
            select customer_id, segment from {MEMBERSHIPS} where as_of_date = ?
        ),
        scores as (
            select
                customer_id,
                cast(expected_value as decimal(18, 4)) as expected_value,
                cast(value_at_risk as decimal(18, 4)) as value_at_risk
            from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?
        )
        select
            coalesce(tonight.segment, before.segment),
            count(tonight.customer_id),
            sum(case when before.customer_id is null then 1 else 0 end),
            sum(case when tonight.customer_id is null then 1 else 0 end),
            coalesce(sum(case when tonight.customer_id is not null then scores.expected_value end), 0),
            coalesce(sum(case when tonight.customer_id is not null then scores.value_at_risk end), 0),
            sum(case when tonight.contact_permission = 'granted' then 1 else 0 end),
            sum(case when tonight.contact_permission = 'denied' then 1 else 0 end),
            sum(case when tonight.contact_permission = 'unknown' then 1 else 0 end)
        from tonight
        full outer join before on tonight.customer_id = before.customer_id and tonight.segment = before.segment
        left join scores on tonight.customer_id = scores.customer_id
        group by 1 order by 1
        """,
        [as_of, before, as_of],
    )
    found = {row[0]: row[1:] for row in rows}
    known = {segment.name: segment for segment in catalogue}
    figures = []
    for name in [*known, *(name for name in found if name not in known)]:
        segment = known.get(name)
        customers, entered, left, expected, at_risk, granted, denied, unknown = found.get(name, (0,) * 8)
        figures.append(
            SegmentFigures(
                name=name,
                title=segment.title if segment else name,
                why=segment.why if segment else "No longer in the catalogue.",
                offer=segment.offer if segment else "",
                channel=segment.channel if segment else "",
                customers_count=int(customers),
                entered_count=int(entered),
                left_count=int(left),
                expected_value=float(expected),
                value_at_risk=float(at_risk),
                granted_count=int(granted),
                denied_count=int(denied),
                unknown_count=int(unknown),
            )
        )
    return figures


def segment_movement(segments: Sequence[SegmentFigures], before: date | None) -> Figure | Absent:
    """How long the lists are and who came and went."""
    if not any(segment.customers_count for segment in segments):
        return Absent("How long the lists are", "No customer stands on any list on this night.")
    longest = max(segments, key=lambda segment: segment.customers_count)
    entered, left = sum(segment.entered_count for segment in segments), sum(segment.left_count for segment in segments)
    moved = "On a first night nobody has moved."
    if before:
        moved = f"{count(entered)} entered and {count(left)} left since {short_date(before)}."
    return figure(
        "lists",
        f"The longest list is “{longest.title}”, with {count(longest.customers_count)} customers",
        f"Customers on each list; a customer may stand on several. {moved}",
        lambda width: sizes_and_movement(
            width,
            [ListMovement(segment.title, segment.customers_count, segment.entered_count, segment.left_count) for segment in segments],
            has_movement=before is not None,
        ),
        DataTable(
            ("Segment", "On the list", "Entered", "Left"),
            [(s.title, count(s.customers_count), *((count(s.entered_count), count(s.left_count)) if before else "––")) for s in segments],
        ),
        FULL,
    )


def value_at_risk_by_segment(segments: Sequence[SegmentFigures], night: Night) -> Figure | Absent:
    """What losing a segment's customers would cost, the dearest first."""
    ordered = sorted((s for s in segments if s.customers_count), key=lambda s: (-s.value_at_risk, s.name))
    if not ordered or ordered[0].value_at_risk <= 0:
        return Absent("Where money is at risk", "No customer on a list is expected to be lost with money.")
    return figure(
        "risk",
        f"The most money at risk stands with “{ordered[0].title}”: {night.money.short(ordered[0].value_at_risk)}",
        "Value at risk by segment: the churn probability times what a customer’s staying away would cost, summed over the list. "
        "In brackets the mean of a customer. A customer on two lists counts in both.",
        lambda width: horizontal_bars(
            width,
            [
                Bar(
                    segment.title,
                    segment.value_at_risk,
                    f"{night.money.short(segment.value_at_risk)} ({night.money.short(_a_customer(segment))} each)",
                    "fill-warm",
                    f"{segment.title}: {night.money.full(segment.value_at_risk)}",
                )
                for segment in ordered
            ],
        ),
        DataTable(
            ("Segment", "Value at risk", "Each", "Expected value"),
            [
                (s.title, night.money.full(s.value_at_risk), night.money.full(_a_customer(s)), night.money.full(s.expected_value))
                for s in ordered
            ],
        ),
        FULL,
    )


def _a_customer(segment: SegmentFigures) -> float:
    return segment.value_at_risk / segment.customers_count
