"""The likely reason for leaving: a hypothesis about a customer at risk, from evidence that stands in the orders, and said to be unknown
where there is none.

The first that there is evidence for counts, what happened to the customer before what may be read into the orders.
"""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa

from regulars.tables import NIGHTS, PLAYS
from regulars.warehouse import Warehouse
from regulars.warehouse.duckdb import connect
from scoring.reason_words import MACROS

FACTS = ("cancelled_ordered_day", "category_lifespan_days", "last_played_on", "is_permitted")
"""What is asked of a customer beside the features, see `facts_query`."""

EVIDENCE: tuple[tuple[str, str], ...] = (
    (
        "dissatisfied",
        """case
            when as_of_day - cancelled_ordered_day <= days_since_last_order
                then concat('cancelled an order placed ', days(as_of_day - cancelled_ordered_day), ' ago, and has not ordered since')
            when has_refund_on_last_order
                then concat('something of the last order, ', days(days_since_last_order), ' ago, came back')
            when days_since_last_refund < days_since_last_order
                then concat('was refunded ', days(days_since_last_refund), ' ago, and has not ordered since')
        end""",
    ),
    (
        "gone_to_competitor",
        """case
            when discounted_orders_share >= 0.75 and orders_count >= 3
                and earlier_discounted_share >= 0.05 and recent_discounted_share <= 0.5 * earlier_discounted_share
                then concat(number(round(discounted_orders_share * orders_count)), ' of ', orders(orders_count),
                    ' at a discount, and the shop gave one on ', percent(recent_discounted_share),
                    ' of the orders of the last 90 days after ', percent(earlier_discounted_share), ' before')
            when repeat_order_days_count >= 3 and last_gap_days >= 1.5 * median_gap_days
                and last_order_value <= 0.75 * average_order_value and isfinite(last_order_value) and isfinite(average_order_value)
                then concat('orders grew rarer and smaller: the last gap was ', days(last_gap_days), ' (usually ',
                    days(round(median_gap_days)), '), the last order ', amount(last_order_value, currency), ' (on average ',
                    amount(average_order_value, currency), ')')
        end""",
    ),
    (
        "no_longer_needs_it",
        """case
            when category_lifespan_days >= 365 and category_lifespan_days > days_since_last_order
                then concat('what was bought ', days(days_since_last_order), ' ago usually lasts ', days(category_lifespan_days))
            when repeat_order_days_count >= 2 and median_gap_days between 300 and 430 and gap_days_stddev <= 45
                then concat('orders about once a year, every ', days(round(median_gap_days)))
            when orders_count = 1 and last_ordered_on between make_date(year(last_ordered_on), 11, 15)
                and make_date(year(last_ordered_on), 12, 24)
                then concat('the only order was made in the weeks before Christmas, ', days(days_since_last_order), ' ago')
        end""",
    ),
    (
        "feels_uncared_for",
        """case
            when is_permitted and days_since_last_order >= 60 and first_night <= last_ordered_on
                and (last_played_on is null or last_played_on < last_ordered_on)
                then concat('may be written to, but stood on no contact list in the ', days(days_since_last_order),
                    ' since the last order')
        end""",
    ),
)
"""Reason → the SQL of its evidence in words; null where there is none."""

NOT_KNOWN = "not_known"
NO_EVIDENCE = "nothing in the orders says why"


def facts_query(as_of: date, known_until: datetime) -> tuple[str, list[date | int | datetime]]:
    """A query of customer_id and `FACTS` of those in the temporary table `listed`, and its parameters."""
    return (
        f"""
        with night as (
            select cast(? as date) as as_of_date, cast(? as bigint) as as_of_day, cast(? as timestamp) as known_until
        ),
        cancellations as (
            select orders.customer_id, max(orders.ordered_day) as cancelled_ordered_day
            from intermediate.int_orders as orders
            cross join night
            where orders.cancelled_day < night.as_of_day
                and orders.known_at <= night.known_until
                and (orders.superseded_at is null or orders.superseded_at > night.known_until)
            group by orders.customer_id
        ),
        lifespans as (
            select products.category, min(products.lifespan_days) as category_lifespan_days
            from staging.stg_products as products
            cross join night
            where products.lifespan_days is not null
                and products.known_at <= night.known_until
                and (products.superseded_at is null or products.superseded_at > night.known_until)
            group by products.category
        ),
        last_plays as (
            select plays.customer_id, max(plays.as_of_date) as last_played_on
            from {PLAYS.qualified_name} as plays
            cross join night
            where plays.as_of_date < night.as_of_date
            group by plays.customer_id
        )
        select
            listed.customer_id,
            listed.is_permitted,
            cancellations.cancelled_ordered_day,
            lifespans.category_lifespan_days,
            last_plays.last_played_on
        from listed
        inner join features.customer_features as features on listed.customer_id = features.customer_id
        inner join night on features.as_of_date = night.as_of_date
        left join cancellations on listed.customer_id = cancellations.customer_id
        left join lifespans on features.last_category = lifespans.category
        left join last_plays on listed.customer_id = last_plays.customer_id
        """,
        [as_of, day_number(as_of), known_until],
    )


def shop_facts(warehouse: Warehouse, as_of: date) -> dict[str, pa.Scalar]:
    """What is asked of the shop: the first night, and what share of the orders had a discount, lately and before; null without orders."""
    share = "avg(case when ordered_day {} cast(? as bigint) then cast(case when is_discounted then 1 else 0 end as double precision) end)"
    recent, earlier = warehouse.rows(
        f"select {share.format('>=')}, {share.format('<')} from intermediate.int_as_of_orders where as_of_date = ?",
        [day_number(as_of) - 90, day_number(as_of) - 90, as_of],
    )[0]
    first_night = warehouse.rows(f"select min(as_of_date) from {NIGHTS.qualified_name} where as_of_date <= ?", [as_of])[0][0]
    return {
        "first_night": pa.scalar(first_night, pa.date32()),
        "recent_discounted_share": pa.scalar(recent, pa.float64()),
        "earlier_discounted_share": pa.scalar(earlier, pa.float64()),
        "as_of_day": pa.scalar(day_number(as_of), pa.int64()),
    }


def likely_reasons(rows: pa.Table) -> pa.Table:
    """likely_reason_for_leaving and leaving_evidence of each row, null for who is not at risk.

    Args:
        rows: as of `scoring.reason_words.sentences`, with `FACTS` and `shop_facts`.
    """
    reasons = " ".join(f"when {name}_evidence is not null then '{name}'" for name, _ in EVIDENCE)
    evidence = ", ".join(f"{name}_evidence" for name, _ in EVIDENCE)
    found = ", ".join(f"{sql} as {name}_evidence" for name, sql in EVIDENCE)
    with connect() as database:
        database.execute(MACROS)
        database.register("listed_rows", rows)
        told: pa.Table = database.sql(
            f"""
            select
                case when is_at_risk then case {reasons} else '{NOT_KNOWN}' end end as likely_reason_for_leaving,
                case when is_at_risk then coalesce({evidence}, '{NO_EVIDENCE}') end as leaving_evidence
            from (
                select *, {found}
                from (select *, date '1970-01-01' + cast(as_of_day - days_since_last_order as integer) as last_ordered_on from listed_rows)
            )
            order by row_number
            """
        ).to_arrow_table()
    return told


def day_number(day: date) -> int:
    """Days from 1970-01-01."""
    return (day - date(1970, 1, 1)).days
