"""Who fits which segment, who stands on which list, and who is contacted tonight."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from regulars.contact_permission import PRESENT, load_contact_permissions
from regulars.home import Home
from regulars.nights import note_configuration
from regulars.run import Kind, Run, step
from regulars.segment import Segment, load_segments
from regulars.warehouse import Warehouse, open_warehouse
from scoring.arbitrate import write_plays
from scoring.control import load_control_arms


def match(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Write segment_matches, segment_memberships and plays of the as_of, replacing what stands there.

    Raises:
        ConfigurationError: the segment catalogue is at fault.
    """
    with step(home, "match segments", kind, as_of) as run, open_warehouse(home, role="scorer") as warehouse, warehouse.transaction():
        run.summary = write_segments(warehouse, run)
        note_configuration(warehouse, run)


def write_segments(warehouse: Warehouse, run: Run, contacts_known_until: datetime = PRESENT) -> str:
    """Replace the matches, memberships and plays of the run's as_of; how many, in words."""
    segments, as_of = load_segments(run.home), run.as_of
    _write_matches(warehouse, segments, as_of)
    load_control_arms(warehouse, run.state, segments, as_of, are_stored=run.kind == "night")
    load_contact_permissions(warehouse, contacts_known_until)
    _write_memberships(warehouse, segments, as_of)
    plays = write_plays(warehouse, segments, as_of)
    members = warehouse.rows("select count(*) from segments.segment_memberships where as_of_date = ?", [as_of])[0][0]
    return f"{members:,} memberships in {len(segments)} segments, {plays:,} plays"


def _write_matches(warehouse: Warehouse, segments: list[Segment], as_of: date) -> None:
    warehouse.execute("delete from segments.segment_matches where as_of_date = ?", [as_of])
    for segment in segments:
        warehouse.execute(
            f"""
            insert into segments.segment_matches (customer_id, as_of_date, segment)
            select customer_id, as_of_date, ?
            from features.customer_features
            inner join scores.customer_scores using (customer_id, as_of_date)
            where as_of_date = ? and ({segment.rule.sql()})
            """,
            [segment.name, as_of],
        )


def _write_memberships(warehouse: Warehouse, segments: list[Segment], as_of: date) -> None:
    """A lasting membership holds while the rule fits; a transient one from entry until it expires or the customer orders.

    A transient membership then rests for the cool-down, so that nobody enters the same list every night.

    The size cap keeps those who stand on the list already, then the highest value_at_risk, so that lists do not flap.
    """
    warehouse.execute("delete from segments.segment_memberships where as_of_date = ?", [as_of])
    previous = warehouse.rows("select max(as_of_date) from segments.segment_memberships where as_of_date < ?", [as_of])[0][0]
    for segment in segments:
        held = segment.held_days or 0
        expires_on = as_of + timedelta(days=held - 1) if segment.membership == "transient" else None
        warehouse.execute(
            """
            insert into segments.segment_memberships (customer_id, as_of_date, segment, entered_on, expires_on, contact_permission)
            with past as (
                select customer_id, max(as_of_date) as last_on, max(entered_on) as entered_on, max(expires_on) as expires_on
                from segments.segment_memberships
                where segment = ? and as_of_date < ?
                group by customer_id
            ),
            held as (
                select past.customer_id, past.entered_on, past.expires_on
                from past
                inner join features.customer_features as features on past.customer_id = features.customer_id and features.as_of_date = ?
                where past.last_on = ? and past.expires_on >= ? and features.days_since_last_order > cast(? as date) - past.entered_on
            ),
            fitting as (
                select
                    matches.customer_id,
                    case when past.last_on = ? then past.entered_on else cast(? as date) end as entered_on,
                    cast(? as date) as expires_on
                from segments.segment_matches as matches
                inner join control_arms as arms on matches.customer_id = arms.customer_id and matches.segment = arms.segment
                left join past on matches.customer_id = past.customer_id
                where matches.as_of_date = ? and matches.segment = ? and arms.arm = 'treatment'
                    and (? = 'lasting' or past.customer_id is null or past.last_on < cast(? as date))
            ),
            members as (
                select customer_id, entered_on, expires_on from held
                union all
                select customer_id, entered_on, expires_on from fitting
                where customer_id not in (select customer_id from held)
            ),
            ranked as (
                select
                    members.customer_id, members.entered_on, members.expires_on,
                    row_number() over (
                        order by case when members.entered_on < ? then 0 else 1 end, scores.value_at_risk desc, members.customer_id
                    ) as place
                from members
                inner join scores.customer_scores as scores on members.customer_id = scores.customer_id and scores.as_of_date = ?
            )
            select
                ranked.customer_id, cast(? as date), ?, ranked.entered_on, ranked.expires_on,
                coalesce(contact_permissions.permission, 'unknown')
            from ranked
            left join contact_permissions on ranked.customer_id = contact_permissions.customer_id and contact_permissions.channel = ?
            where ranked.place <= ?
            """,
            [
                *(segment.name, as_of),
                *(as_of, previous, as_of, as_of),
                *(previous, as_of, expires_on),
                *(as_of, segment.name, segment.membership, as_of - timedelta(days=segment.cool_down_days)),
                *(as_of, as_of),
                *(as_of, segment.name, segment.channel, segment.size_cap or 2**62),
            ],
        )
