"""What the warehouse says that the destinations should hold on an as_of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from regulars.contact_permission import load_contact_permissions
from regulars.errors import GateFailed, InputError
from regulars.home import Home
from regulars.segment import load_segments
from regulars.tables import CUSTOMER_REASONS, CUSTOMER_SCORES, GATE_RESULTS, GATES, NEXT_PRODUCTS, PLAYS, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse, open_warehouse
from regulars.warehouse.workspace import Workspace

ADDRESSES = "private.stg_customers"
REASONS = ("reason_1", "reason_2", "reason_3", "likely_reason_for_leaving", "leaving_evidence")
"""Columns of `customer_reasons` that lists show."""

ON_CUSTOMER = "on {0}.customer_id = m.customer_id and {0}.as_of_date = m.as_of_date"
GIVEN = (
    (
        ("churn_probability", "expected_value", "value_at_risk", "currency", "favourite_category", "category_affinity"),
        f"{CUSTOMER_SCORES.qualified_name} as s {ON_CUSTOMER.format('s')}",
    ),
    (
        ("next_product", "next_product_id", "next_product_ids", "new_product", "new_product_id"),
        f"{NEXT_PRODUCTS.qualified_name} as n {ON_CUSTOMER.format('n')}",
    ),
    (("offer", "offer_valid_until"), f"{PLAYS.qualified_name} as p {ON_CUSTOMER.format('p')} and p.segment = m.segment"),
    (REASONS, f"{CUSTOMER_REASONS.qualified_name} as r {ON_CUSTOMER.format('r')}"),
)
"""Columns that a list shows of its members, and what gives them."""

CALLED = {"offer_valid_until": "p.valid_until as offer_valid_until"}

FORMER_SQL = f"""
select m.segment, m.customer_id, m.expires_on
from {SEGMENT_MEMBERSHIPS.qualified_name} as m
inner join (
    select segment, customer_id, max(as_of_date) as as_of_date
    from {SEGMENT_MEMBERSHIPS.qualified_name}
    where as_of_date < ?
    group by segment, customer_id
) as latest on latest.segment = m.segment and latest.customer_id = m.customer_id and latest.as_of_date = m.as_of_date
where m.expires_on is not null
"""

PERMITTED_SQL = f"""
select segment, customer_id from {SEGMENT_MEMBERSHIPS.qualified_name} where as_of_date = ? and contact_permission = 'granted'
"""

ADDRESSES_SQL = f"""
select customer_id, normalised_email as address from {ADDRESSES} where normalised_email like '%@%'
"""

NO_ADDRESSES_SQL = "select '' as customer_id, '' as address where 1 = 0"

PAST_ADDRESSES_SQL = """
select customer_id, normalised_email as address
from (
    select
        persons.customer_id, accounts.normalised_email,
        row_number() over (
            partition by persons.customer_id
            order by case when accounts.registered_at is null then 1 else 0 end, accounts.known_at desc, accounts.account_id
        ) as account_rank
    from private.stg_accounts as accounts
    inner join intermediate.int_account_person_periods as persons on accounts.account_id = persons.account_id
    cross join (select cast(? as timestamp) as known_until) as night
    where accounts.known_at <= night.known_until
        and (accounts.superseded_at is null or accounts.superseded_at > night.known_until)
        and persons.known_at <= night.known_until
        and (persons.superseded_at is null or persons.superseded_at > night.known_until)
) as ranked
where account_rank = 1 and normalised_email like '%@%'
"""
"""What private.stg_customers says of the present, at a past moment."""


Query = tuple[str, list[Any]]
"""SQL and its parameters."""


@dataclass(frozen=True)
class Desired:
    """The night's memberships, read in one go so that the warehouse is not held while a tool is talked to.

    `members`: segment, customer_id, address, contact_permission, entered_on, expires_on, and of `GIVEN` what was wanted.
    `former`: segment, customer_id, expires_on of transient memberships of earlier nights, the latest of each. `addresses`:
    customer_id, address. `permitted`: segment, customer_id of the members who could be contacted on the night that was sent last.
    """

    as_of: date
    model_version: str
    members: pa.Table
    former: pa.Table
    addresses: pa.Table
    permitted: pa.Table


def read_desired(
    home: Home,
    as_of: date,
    workspace: Workspace,
    sent_before: date | None = None,
    *,
    with_addresses: bool = True,
    wanted: Collection[str] | None = None,
) -> Desired:
    """The memberships of the night of `as_of`, with the permissions of this moment: one withdrawn since is not granted.

    Args:
        workspace: where they stand.
        sent_before: as_of of the night that was sent last before this one.
        wanted: the columns of `GIVEN` that are; None for all of them.
        with_addresses: whether all addresses are wanted, by which a tool's contacts are told; else `addresses` is empty.

    Raises:
        GateFailed: the night's features did not pass the gate, or were not judged by it.
        InputError: the night has not been scored.
        TryAgain: the warehouse is in use.
    """
    with open_warehouse(home, role="activator") as warehouse:
        version = _model_version(warehouse, as_of)
        _require_open_gate(warehouse, as_of)
        knows_consents = _load_present_permissions(warehouse, home)
        has_addresses = warehouse.exists(ADDRESSES)
        addresses_sql = ADDRESSES_SQL if has_addresses else NO_ADDRESSES_SQL
        queries: tuple[Query, ...] = (
            (_members_sql(addresses_sql, wanted), [knows_consents, as_of]),
            (FORMER_SQL, [as_of]),
            (addresses_sql if with_addresses else NO_ADDRESSES_SQL, []),
            (PERMITTED_SQL, [sent_before or date.min]),
        )
        return Desired(as_of, version, *_tables(warehouse, workspace, queries))


def read_past_desired(warehouse: Warehouse, home: Home, as_of: date, contacts_known_until: datetime, workspace: Workspace) -> Desired:
    """The memberships of a past night, with the permissions and addresses that were known then. Nothing of it is ever sent."""
    version = _model_version(warehouse, as_of)
    _load_channels(warehouse, home)
    load_contact_permissions(warehouse, contacts_known_until)
    warehouse.create_temporary("past_addresses", f"as {PAST_ADDRESSES_SQL}", [contacts_known_until])
    addresses_sql = "select customer_id, address from past_addresses"
    queries: tuple[Query, ...] = (
        (_members_sql(addresses_sql, None), [True, as_of]),
        (FORMER_SQL, [as_of]),
        (addresses_sql, []),
        (PERMITTED_SQL, [date.min]),
    )
    return Desired(as_of, version, *_tables(warehouse, workspace, queries))


def _tables(warehouse: Warehouse, workspace: Workspace, queries: Sequence[Query]) -> Iterator[pa.Table]:
    for sql, parameters in queries:
        yield workspace.table(warehouse.reader(sql, parameters))


def _members_sql(addresses_sql: str, wanted: Collection[str] | None) -> str:
    """The query of `Desired.members`, which joins what gives the wanted columns and nothing else."""
    columns, joins = "", ""
    for names, relation in GIVEN:
        chosen = [name for name in names if wanted is None or name in wanted]
        columns += "".join(f", {CALLED.get(name, name)}" for name in chosen)
        joins += f"left join {relation}\n" if chosen else ""
    return f"""
        select m.segment, m.customer_id, a.address,
               case
                   when ? and m.contact_permission = 'granted' then coalesce(c.permission, 'unknown')
                   else m.contact_permission
               end as contact_permission,
               m.entered_on, m.expires_on{columns}
        from {SEGMENT_MEMBERSHIPS.qualified_name} as m
        {joins}
        left join ({addresses_sql}) as a on a.customer_id = m.customer_id
        left join segment_channels as g on g.segment = m.segment
        left join contact_permissions as c on c.customer_id = m.customer_id and c.channel = g.channel
        where m.as_of_date = ?
    """


def _model_version(warehouse: Warehouse, as_of: date) -> str:
    versions = warehouse.rows(f"select max(model_version) from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?", [as_of])
    if versions[0][0] is None:
        raise InputError(f"no customer has been scored for {as_of}, so there are no lists; run `python -m scoring` for that as_of first")
    return str(versions[0][0])


def _require_open_gate(warehouse: Warehouse, as_of: date) -> None:
    """A gate that only the order of the tasks enforces would not stop a person who runs the stages one by one."""
    unmet = warehouse.rows(
        f"select gate, count(*) filter (where not is_met) from {GATE_RESULTS.qualified_name} where as_of_date = ? group by gate", [as_of]
    )
    for gate, count in sorted(unmet):
        if count:
            raise GateFailed(
                f"{count} expectations of the gate {gate} were not met for {as_of}: nothing is sent. See var/data_docs/{as_of}.html"
            )
    for gate in GATES:
        if gate not in dict(unmet):
            raise GateFailed(
                f"the night of {as_of} has not been through the gate {gate}: nothing is sent. "
                f"Run `python -m quality check --gate {gate} --as-of {as_of}` first"
            )


def _load_present_permissions(warehouse: Warehouse, home: Home) -> bool:
    """Make the temporary tables that `_members_sql` joins; False where no consents were ever built."""
    _load_channels(warehouse, home)
    if warehouse.exists("staging.stg_consents"):
        load_contact_permissions(warehouse)
        return True
    warehouse.create_temporary("contact_permissions", "(customer_id varchar, channel varchar, permission varchar)")
    return False


def _load_channels(warehouse: Warehouse, home: Home) -> None:
    warehouse.create_temporary("segment_channels", "(segment varchar, channel varchar)")
    segments = load_segments(home)
    channels = pa.table({"segment": [one.name for one in segments], "channel": [one.channel for one in segments]})
    warehouse.append_temporary("segment_channels", channels)
