"""What has been landed, as the night knows it: each table's current versions, and apart from them what is new since the last good night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from quality.baseline import PassedNight
from quality.column_statistics import as_number, column_aggregates, mean_of, measure, share_where
from quality.profile import WHOLE_TABLE, Profile
from quality.volume import measure_days
from regulars.tables import (
    CONSENTS,
    CUSTOMERS,
    INGESTION_ACCOUNTS,
    ORDER_LINES,
    ORDERS,
    PRODUCTS,
    REFUNDS,
    VERSION_COLUMNS,
    Column,
    Table,
)
from regulars.warehouse import Warehouse

FOREIGN = "foreign_count"
RECENT_DAYS = 35
"""Orders are held against their lines and accounts where they are recent; older ones were when they were."""


@dataclass(frozen=True)
class Landed:
    """A canonical table as staging has it, what tells its records apart, and the moment of an event where it has one."""

    contract: Table
    staging: str
    key: str
    event_at: str | None = None
    left_out: tuple[str, ...] = ()
    shape: tuple[Column, ...] = ()

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.shape:
            return self.shape
        own = [column for column in self.contract.columns if column not in VERSION_COLUMNS]
        return tuple(column for column in own if column.name not in self.left_out)


ACCOUNT_SHAPE = (
    CUSTOMERS.column("account_id"),
    *(
        Column(f"{name}_length", "integer", CUSTOMERS.column(name).description)
        for name in ("email", "normalised_email", "first_name", "last_name", "postal_code", "country")
    ),
    CUSTOMERS.column("registered_at"),
)
"""Personal data stay where they are: of a person's texts only the lengths are seen here."""
LANDED = (
    Landed(CUSTOMERS, "staging.stg_account_shapes", "account_id", shape=ACCOUNT_SHAPE),
    Landed(ORDERS, "staging.stg_orders", "concat(source, ' ', order_id)", "ordered_at", left_out=("items_count",)),
    Landed(ORDER_LINES, "staging.stg_order_lines", "concat(source, ' ', record_key)", "ordered_at"),
    Landed(REFUNDS, "staging.stg_refunds", "concat(source, ' ', record_key)", "refunded_at"),
    Landed(PRODUCTS, "staging.stg_products", "concat(source, ' ', record_key)"),
    Landed(CONSENTS, "staging.stg_consents", "concat(source, ' ', record_key)"),
)
KNOWN = "known_at <= ? and (superseded_at is null or superseded_at > ?)"


def measure_raw(warehouse: Warehouse, as_of: date, known_until: datetime, currency: str, before: PassedNight | None) -> Profile:
    """The profile of what the night of `as_of` knows."""
    profile = Profile(as_of)
    since = before.known_until if before is not None else known_until
    recently = as_of - timedelta(days=RECENT_DAYS)
    for landed in LANDED:
        recent = f"{landed.event_at} >= cast(? as timestamp)" if landed.event_at else "cast(? as timestamp) is not null"
        known = f"(select *, {recent} as is_recent from {landed.staging} where {KNOWN}) as landed"
        measure(warehouse, profile, landed.name, dict(_aggregates(landed, currency)), known, [recently, known_until, known_until])
        # What is new is a thousandth: scanned apart, its statistics cost nothing for all other rows.
        new = f"(select * from {landed.staging} where {KNOWN} and known_at > ?) as landed"
        measure(warehouse, profile, landed.name, dict(_aggregates_of_new(landed)), new, [known_until, known_until, since])
    measure_days(warehouse, profile, known_until, before.as_of if before is not None else None)
    _measure_placed(warehouse, profile, known_until)
    _measure_ties(warehouse, profile, known_until)
    _measure_consents(warehouse, profile, known_until, before)
    _measure_quarantine(warehouse, profile)
    return profile


def _aggregates(landed: Landed, currency: str) -> Iterator[tuple[tuple[str, str], str]]:
    yield (WHOLE_TABLE, "rows_count"), "count(*)"
    yield (WHOLE_TABLE, "recent_rows_count"), "count(*) filter (where is_recent)"
    yield (WHOLE_TABLE, "distinct_count"), f"count(distinct case when is_recent then {landed.key} end)"
    for column in landed.columns:
        yield from _column_aggregates(column, "")
    if landed.event_at is not None:
        yield ("currency", FOREIGN), f"count(*) filter (where currency <> '{currency}')"


def _aggregates_of_new(landed: Landed) -> Iterator[tuple[tuple[str, str], str]]:
    yield (WHOLE_TABLE, "new_rows_count"), "count(*)"
    for column in landed.columns:
        yield from _column_aggregates(column, "new_")
        if column.type in ("text", "integer", "amount", "timestamp"):
            yield (column.name, "new_distinct_count"), f"count(distinct {column.name})"


def _column_aggregates(column: Column, prefix: str) -> Iterator[tuple[tuple[str, str], str]]:
    yield from column_aggregates(column, prefix)
    if column.type in ("integer", "double", "amount"):
        yield (column.name, f"{prefix}log_mean"), mean_of(f"ln(1 + abs({as_number(column)}))")
        yield (column.name, f"{prefix}zero_share"), share_where(f"{column.name} = 0", f"{column.name} is not null")
        yield (column.name, f"{prefix}negative_share"), share_where(f"{column.name} < 0")


def _measure_placed(warehouse: Warehouse, profile: Profile, known_until: datetime) -> None:
    first, last, placed = warehouse.rows(
        f"""
        select min(ordered_date), max(ordered_date), count(account_id)
        from staging.stg_orders where ordered_date < ? and {KNOWN}
        """,
        [profile.as_of, known_until, known_until],
    )[0]
    whole = (ORDERS.name, WHOLE_TABLE)
    profile.values[*whole, "placed_with_account_count"] = float(placed)
    if first is not None:
        profile.values[*whole, "history_days"] = float((profile.as_of - first).days)
        profile.values[*whole, "days_since_last_order"] = float((profile.as_of - last).days)
    horizon = (known_until.date() - date(1970, 1, 1)).days
    profile.values[*whole, "known_until_day"] = float(horizon)


def _measure_ties(warehouse: Warehouse, profile: Profile, known_until: datetime) -> None:
    """How the recent orders hold together with their lines, accounts and refunds."""
    recent = profile.as_of - timedelta(days=RECENT_DAYS)
    known = [known_until, known_until]
    orders = f"""
        orders as (
            select * from staging.stg_orders where ordered_date >= cast(? as date) and ordered_date < cast(? as date) and {KNOWN}
        ),
        lines as (
            select
                source, order_id, min(account_id) as account_id, min(ordered_at) as ordered_at,
                sum(net_revenue) as net_revenue, sum(quantity * unit_price) as priced
            from staging.stg_order_lines
            where ordered_at >= cast(? as timestamp) and {KNOWN}
            group by source, order_id
        )"""
    given = [recent, profile.as_of, *known, recent - timedelta(days=2), *known]
    statistics = {
        (WHOLE_TABLE, "recent_count"): "count(*)",
        (WHOLE_TABLE, "without_account_share"): share_where("orders.account_id is not null and accounts.account_id is null"),
        (WHOLE_TABLE, "without_lines_share"): share_where("lines.order_id is null"),
        (WHOLE_TABLE, "lines_of_another_account_share"): share_where("lines.account_id <> orders.account_id"),
        (WHOLE_TABLE, "lines_of_another_moment_share"): share_where("lines.ordered_at <> orders.ordered_at"),
        (WHOLE_TABLE, "revenue_of_lines_ratio"): (
            "cast(sum(lines.net_revenue) as double precision) "
            "/ nullif(cast(sum(case when lines.order_id is not null then orders.net_revenue end) as double precision), 0)"
        ),
        (WHOLE_TABLE, "price_of_lines_ratio"): (
            "cast(sum(lines.priced) as double precision) / nullif(cast(sum(lines.net_revenue) as double precision), 0)"
        ),
    }
    relation = """
        orders
        left join lines on orders.source = lines.source and orders.order_id = lines.order_id
        left join (select distinct account_id from staging.stg_account_shapes) as accounts on orders.account_id = accounts.account_id"""
    names = list(statistics)
    row = warehouse.rows(f"with {orders} select {', '.join(statistics[name] for name in names)} from {relation}", given)[0]
    profile.values |= {(ORDERS.name, *name): float(value) for name, value in zip(names, row, strict=True) if value is not None}
    missing = warehouse.rows(
        f"""
        with {orders}
        select {share_where("known.order_id is null")}
        from lines
        left join (select distinct source, order_id from staging.stg_orders) as known
            on lines.source = known.source and lines.order_id = known.order_id
        """,
        given,
    )[0][0]
    if missing is not None:
        profile.values[ORDER_LINES.name, WHOLE_TABLE, "without_order_share"] = float(missing)
    missing, early = warehouse.rows(
        f"""
        select
            {share_where("orders.order_id is null")},
            {share_where("refunds.refunded_at < orders.ordered_at")}
        from (
            select * from staging.stg_refunds where order_id is not null and refunded_at >= cast(? as timestamp) and {KNOWN}
        ) as refunds
        left join (select source, order_id, min(ordered_at) as ordered_at from staging.stg_orders group by source, order_id) as orders
            on refunds.source = orders.source and refunds.order_id = orders.order_id
        """,
        [recent, *known],
    )[0]
    if missing is not None:
        profile.values[REFUNDS.name, WHOLE_TABLE, "without_order_share"] = float(missing)
        profile.values[REFUNDS.name, WHOLE_TABLE, "before_order_share"] = float(early)


def _measure_consents(warehouse: Warehouse, profile: Profile, known_until: datetime, before: PassedNight | None) -> None:
    """By channel how many consents are known and granted; and of how many accounts any is."""
    for channel, count, granted in warehouse.rows(
        f"""
        select channel, count(*), {share_where("status = 'granted'")}
        from staging.stg_consents where {KNOWN} group by channel
        """,
        [known_until, known_until],
    ):
        profile.values[CONSENTS.name, f"channel {channel}", "rows_count"] = float(count)
        profile.values[CONSENTS.name, f"channel {channel}", "granted_share"] = float(granted)
    since = before.known_until if before is not None else known_until
    accounts, unknown, new, unknown_new = warehouse.rows(
        f"""
        select
            count(*),
            count(*) filter (where consents.account_id is null),
            count(*) filter (where accounts.is_new),
            count(*) filter (where accounts.is_new and consents.account_id is null)
        from (
            select account_id, min(known_at) > ? as is_new from staging.stg_account_shapes where known_at <= ? group by account_id
        ) as accounts
        left join (select distinct account_id from staging.stg_consents where {KNOWN} and status is not null) as consents
            on accounts.account_id = consents.account_id
        """,
        [since, known_until, known_until, known_until],
    )[0]
    whole = (CONSENTS.name, WHOLE_TABLE)
    profile.values[*whole, "unknown_share"] = unknown / accounts if accounts else 0.0
    profile.values[*whole, "new_accounts_count"] = float(new)
    if new:
        profile.values[*whole, "new_unknown_share"] = unknown_new / new


def _measure_quarantine(warehouse: Warehouse, profile: Profile) -> None:
    """What the runs of this night set aside and nobody has mended since, of what they read."""
    for table, read, quarantined in warehouse.rows(
        f"""
        select table_name, sum(rows_read), sum(coalesce(rows_waiting, rows_quarantined))
        from {INGESTION_ACCOUNTS.qualified_name} where run_id like ? group by table_name
        """,
        [f"night-{profile.as_of}-%"],
    ):
        if read:
            profile.values[table, WHOLE_TABLE, "rows_read"] = float(read)
            profile.values[table, WHOLE_TABLE, "quarantined_share"] = float(quarantined) / float(read)
