"""One contact a customer and channel: which segment's offer is made tonight."""

from __future__ import annotations

from datetime import date

from regulars.warehouse import Warehouse


def write_plays(warehouse: Warehouse, as_of: date) -> int:
    """Write the plays of the as_of; the number of them.

    A member with permission on the segment's channel is a candidate, unless a play on that channel lies within the
    segment's cool-down, or the membership is transient and has had its play. The segment with the lowest priority number
    wins; its name breaks a tie. Losing a play does not touch the membership.
    """
    warehouse.execute("delete from segments.plays where as_of_date = ?", [as_of])
    warehouse.execute(
        """
        insert into segments.plays (customer_id, as_of_date, channel, segment, offer, valid_until)
        with last_plays as (
            select customer_id, channel, max(as_of_date) as played_on
            from segments.plays
            where as_of_date < ? and as_of_date > (select min(quiet_since) from catalogue)
            group by customer_id, channel
        ),
        played_memberships as (
            select distinct plays.customer_id, plays.segment, memberships.entered_on
            from segments.plays as plays
            inner join segments.segment_memberships as memberships
                on plays.customer_id = memberships.customer_id
                and plays.segment = memberships.segment
                and plays.as_of_date = memberships.as_of_date
            inner join catalogue on plays.segment = catalogue.segment
            where plays.as_of_date < ? and catalogue.membership = 'transient'
                and plays.as_of_date >= (
                    select min(memberships.entered_on)
                    from segments.segment_memberships as memberships
                    inner join catalogue on memberships.segment = catalogue.segment
                    where memberships.as_of_date = ? and catalogue.membership = 'transient'
                )
        ),
        candidates as (
            select
                memberships.customer_id, catalogue.*,
                row_number() over (
                    partition by memberships.customer_id, catalogue.channel order by catalogue.priority, catalogue.segment
                ) as place
            from segments.segment_memberships as memberships
            inner join catalogue on memberships.segment = catalogue.segment
            left join last_plays on memberships.customer_id = last_plays.customer_id and catalogue.channel = last_plays.channel
            left join played_memberships
                on memberships.customer_id = played_memberships.customer_id
                and memberships.segment = played_memberships.segment
                and memberships.entered_on = played_memberships.entered_on
            where memberships.as_of_date = ?
                and memberships.contact_permission = 'granted'
                and (last_plays.played_on is null or last_plays.played_on <= catalogue.quiet_since)
                and (catalogue.membership = 'lasting' or played_memberships.customer_id is null)
        )
        select customer_id, cast(? as date), channel, segment, offer, valid_until
        from candidates
        where place = 1
        """,
        [as_of] * 5,
    )
    return int(warehouse.rows("select count(*) from segments.plays where as_of_date = ?", [as_of])[0][0])
