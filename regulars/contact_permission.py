"""Who may be contacted on which channel: consent, the strictest of all accounts of a person."""

from __future__ import annotations

from datetime import date

from regulars.warehouse import Warehouse


def load_contact_permissions(warehouse: Warehouse, as_of: date) -> None:
    """Make the temporary table `contact_permissions`: one row per customer and channel, with permission granted or denied.

    What was known by the night's known_until counts, even when it happened after as_of: a customer who withdraws after
    midnight is not mailed in the morning. A person denies when the latest word of any of their accounts denies. A pair
    that is not in the table is unknown, and unknown is never granted.
    """
    warehouse.execute(
        """
        create or replace temporary table contact_permissions as
        with latest as (
            select
                persons.customer_id,
                consents.channel,
                consents.status,
                row_number() over (
                    partition by consents.account_id, consents.channel order by consents.changed_at desc, consents.status asc
                ) as recency
            from staging.stg_consents as consents
            inner join intermediate.int_account_person_periods as persons on consents.account_id = persons.account_id
            cross join (select known_until from control.nights where as_of_date = cast(? as date)) as night
            where consents.known_at <= night.known_until
                and (consents.superseded_at is null or consents.superseded_at > night.known_until)
                and persons.known_at <= night.known_until
                and (persons.superseded_at is null or persons.superseded_at > night.known_until)
        )
        select
            customer_id,
            channel,
            case when count(*) filter (where status = 'denied') > 0 then 'denied' else 'granted' end as permission
        from latest
        where recency = 1
        group by customer_id, channel
        """,
        [as_of.isoformat()],
    )
