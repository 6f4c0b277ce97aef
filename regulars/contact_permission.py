"""Who may be contacted on which channel: consent, the strictest of all accounts of a person."""

from __future__ import annotations

from datetime import datetime

from regulars.warehouse import Warehouse

PRESENT = datetime.fromisoformat("9999-12-31")
"""A known_until before which everything has been learned that stands in the warehouse."""


def load_contact_permissions(warehouse: Warehouse, known_until: datetime = PRESENT) -> None:
    """Make the temporary table `contact_permissions`: one row per customer and channel, with permission granted or denied.

    For a night every word counts that is known at this moment, even when it was given after as_of: a customer who withdraws
    after midnight, or while a plan waits for approval, is not mailed in the morning. A past night, which sends nothing, sees
    what was known by the `known_until` that is given. No word is younger than the moment at which it was learned, so that one
    dated into the future does not outlive what is said after it. A person denies when the latest word of any of their accounts
    is anything but a grant. A pair that is not in the table is unknown, and unknown is never granted.
    """
    warehouse.create_temporary(
        "contact_permissions",
        """
        as
        with latest as (
            select
                persons.customer_id,
                consents.channel,
                consents.status,
                row_number() over (
                    partition by consents.account_id, consents.channel
                    order by least(consents.changed_at, consents.known_at) desc, consents.status asc
                ) as recency
            from staging.stg_consents as consents
            inner join intermediate.int_account_person_periods as persons on consents.account_id = persons.account_id
            cross join (
                select cast(? as timestamp) as known_until
            ) as night
            where consents.known_at <= night.known_until
                and (consents.superseded_at is null or consents.superseded_at > night.known_until)
                and persons.known_at <= night.known_until
                and (persons.superseded_at is null or persons.superseded_at > night.known_until)
        )
        select
            customer_id,
            channel,
            case when count(*) filter (where status is distinct from 'granted') > 0 then 'denied' else 'granted' end as permission
        from latest
        where recency = 1
        group by customer_id, channel
        """,
        [known_until],
    )
