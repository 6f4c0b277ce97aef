"""Who fits which segment, who stands on which list, and who is contacted tonight."""

from __future__ import annotations

from datetime import date, datetime

from models.serving import scorer_for
from regulars.contact_permission import PRESENT, load_contact_permissions
from regulars.home import Home
from regulars.nights import kept_nights, note_configuration
from regulars.run import Kind, Run, step
from regulars.segment import Segment, load_segments
from regulars.tables import CUSTOMER_REASONS, CUSTOMER_SCORES, NEXT_PRODUCTS
from regulars.warehouse import Warehouse, open_warehouse
from scoring.arbitrate import write_plays
from scoring.catalogue import load_catalogue
from scoring.control import load_control_arms
from scoring.next_products import write_next_products
from scoring.reasons import write_reasons


def match(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Write segment_matches, segment_memberships, plays and customer_reasons of the as_of, replacing what stands there.

    Raises:
        ConfigurationError: the segment catalogue is at fault.
        ArtefactError: the model that scored is damaged.
    """
    with step(home, "match segments", kind, as_of) as run, open_warehouse(home, role="scorer") as warehouse, warehouse.transaction():
        run.summary = write_segments(warehouse, run)
        if (version := _model_version(warehouse, as_of)) is not None:
            told = write_reasons(warehouse, run, scorer_for(home, warehouse, as_of, run.settings, version))
            run.summary += f", reasons for {told:,} customers"
        _prune_nights(warehouse, run)
        note_configuration(warehouse, run)


def write_segments(warehouse: Warehouse, run: Run, contacts_known_until: datetime = PRESENT) -> str:
    """Replace the matches, memberships, plays and next products of the run's as_of; how many, in words."""
    segments, as_of = load_segments(run.home), run.as_of
    _write_matches(warehouse, segments, as_of)
    load_catalogue(warehouse, segments, as_of)
    load_control_arms(warehouse, run.state, as_of, are_stored=run.kind == "night")
    load_contact_permissions(warehouse, contacts_known_until)
    _write_memberships(warehouse, as_of)
    plays = write_plays(warehouse, as_of)
    write_next_products(warehouse, run)
    members = warehouse.rows("select count(*) from segments.segment_memberships where as_of_date = ?", [as_of])[0][0]
    return f"{members:,} memberships in {len(segments)} segments, {plays:,} plays"


def _prune_nights(warehouse: Warehouse, run: Run) -> None:
    """Delete what lists of nights that are kept no longer said beside their scores: nobody looks at it again, and it is most of a night."""
    kept = sorted({*kept_nights(warehouse, run), run.as_of})
    for table in (CUSTOMER_REASONS, NEXT_PRODUCTS):
        warehouse.execute(f"delete from {table.qualified_name} where as_of_date not in ({', '.join('?' for _ in kept)})", kept)


def _model_version(warehouse: Warehouse, as_of: date) -> str | None:
    """Of the model that scored the as_of; None when nobody was scored."""
    version: str | None = warehouse.rows(f"select max(model_version) from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?", [as_of])[
        0
    ][0]
    return version


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


def _write_memberships(warehouse: Warehouse, as_of: date) -> None:
    """A lasting membership holds while the rule fits; a transient one from entry until it expires or the customer orders.

    A transient membership then rests for the cool-down, so that nobody enters the same list every night. Only the night before
    and the cool-down are looked back at, however many nights there were.

    The size cap keeps those who stand on the list already, then the highest value_at_risk, so that lists do not flap.
    """
    warehouse.execute("delete from segments.segment_memberships where as_of_date = ?", [as_of])
    previous = warehouse.rows("select max(as_of_date) from segments.segment_memberships where as_of_date < ?", [as_of])[0][0]
    warehouse.execute(
        """
        insert into segments.segment_memberships (customer_id, as_of_date, segment, entered_on, expires_on, contact_permission)
        with previous as (
            select customer_id, segment, entered_on, expires_on from segments.segment_memberships where as_of_date = ?
        ),
        held as (
            select previous.customer_id, previous.segment, previous.entered_on, previous.expires_on
            from previous
            inner join features.customer_features as features
                on previous.customer_id = features.customer_id and features.as_of_date = ?
            where previous.expires_on >= ? and features.days_since_last_order > cast(? as date) - previous.entered_on
        ),
        resting as (
            select distinct memberships.customer_id, memberships.segment
            from segments.segment_memberships as memberships
            inner join catalogue on memberships.segment = catalogue.segment
            where catalogue.membership = 'transient'
                and memberships.as_of_date < ? and memberships.as_of_date >= catalogue.quiet_since
                and memberships.as_of_date >= (select min(quiet_since) from catalogue)
        ),
        fitting as (
            select
                matches.customer_id, matches.segment, coalesce(previous.entered_on, cast(? as date)) as entered_on, catalogue.expires_on
            from segments.segment_matches as matches
            inner join catalogue on matches.segment = catalogue.segment
            inner join control_arms as arms on matches.customer_id = arms.customer_id and matches.segment = arms.segment
            left join previous on matches.customer_id = previous.customer_id and matches.segment = previous.segment
            left join resting on matches.customer_id = resting.customer_id and matches.segment = resting.segment
            where matches.as_of_date = ? and arms.arm = 'treatment' and resting.customer_id is null
        ),
        members as (
            select customer_id, segment, entered_on, expires_on from held
            union all
            select fitting.customer_id, fitting.segment, fitting.entered_on, fitting.expires_on
            from fitting
            left join held on fitting.customer_id = held.customer_id and fitting.segment = held.segment
            where held.customer_id is null
        ),
        ranked as (
            select
                members.customer_id, members.segment, members.entered_on, members.expires_on, catalogue.channel, catalogue.size_cap,
                row_number() over (
                    partition by members.segment
                    order by case when members.entered_on < ? then 0 else 1 end, scores.value_at_risk desc, members.customer_id
                ) as place
            from members
            inner join catalogue on members.segment = catalogue.segment
            inner join scores.customer_scores as scores on members.customer_id = scores.customer_id and scores.as_of_date = ?
        )
        select
            ranked.customer_id, cast(? as date), ranked.segment, ranked.entered_on, ranked.expires_on,
            coalesce(contact_permissions.permission, 'unknown')
        from ranked
        left join contact_permissions
            on ranked.customer_id = contact_permissions.customer_id and ranked.channel = contact_permissions.channel
        where ranked.place <= ranked.size_cap
        """,
        [previous, *[as_of] * 9],
    )
