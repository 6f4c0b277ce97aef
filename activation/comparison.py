"""Desired against actual, as sets: who enters a list, who leaves it, whose fields change, and who is held back and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from activation.desired import Desired
from activation.destination import CONTACTS_SCHEMA, CUSTOMER_KEY, Capabilities, Holdings, SegmentList, Target
from activation.memory import Memory
from regulars.warehouse.workspace import Workspace

FIELDS: dict[str, tuple[str, str]] = {
    "churn_probability": ("number", "round(churn_probability, 3)"),
    "expected_value": ("number", "round(expected_value, 2)"),
    "value_at_risk": ("number", "round(value_at_risk, 2)"),
    "currency": ("text", "currency"),
    "favourite_category": ("text", "favourite_category"),
    "category_affinity": ("number", "round(category_affinity, 2)"),
    "next_product": ("text", "next_product"),
    "next_product_id": ("text", "next_product_id"),
    "new_product": ("text", "new_product"),
    "new_product_id": ("text", "new_product_id"),
}
"""Columns that a tool's field may hold → its type and how it is written: rounded, so that noise sends nobody again."""

STRANGER = "stranger:"
"""Stands before the keyed hash of a contact on our list whom the warehouse does not know, in place of a customer_id."""

CUSTOMERS_OF_KEYS = """
left join wanted as w on w.segment = m.segment and w.contact_key = m.contact_key
left join (
    select contact_key_of(customer_id, address) as contact_key, min(customer_id) as customer_id
    from (select customer_id, address from addresses union all select customer_id, address from members) as persons
    where contact_key_of(customer_id, address) in (select contact_key from held_members)
    group by contact_key_of(customer_id, address)
) as k on k.contact_key = m.contact_key
"""
"""Which customer a contact is, where a tool knows contacts by a key of its own."""

Execute = Callable[..., Any]


@dataclass(frozen=True)
class Subject:
    """Whose plan is made: a destination as far as its plan depends on it.

    `fields`: the tool's field → our column. `stranger_key`: the home's secret, without which nobody can tell from the name of
    a stranger whether an address is behind it.
    """

    name: str
    capabilities: Capabilities
    target: Target
    lists: tuple[SegmentList, ...]
    fields: Mapping[str, str]
    list_cap: int | None
    creates_contacts: bool
    stranger_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class ListFigures:
    """One list in figures; customers each.

    `expected_leaving` are removals of transient members whose expires_on has passed. `readdressed` are members who stay
    under another address. Of the `permitted`, members of the night sent last who could be contacted, those `withdrawn` cannot
    be any more. `lately_gone` were taken off lately, before their time, and are still off; the list had `lately_current`.
    """

    segment: str
    title: str
    exists: bool
    desired: int
    current: int
    entering: int
    leaving: int
    expected_leaving: int
    held_back: int = 0
    refused: int = 0
    readdressed: int = 0
    permitted: int = 0
    withdrawn: int = 0
    lately_gone: int = 0
    lately_current: int = 0
    is_retired: bool = False


@dataclass(frozen=True)
class Comparison:
    """See `activation.destination.Changes` for the tables.

    `standing` (segment, customer_id) is who is on the lists already, `readdressed` (segment, customer_id) who stays there
    under another address.
    """

    enter: pa.Table
    leave: pa.Table
    update: pa.Table
    rows: pa.Table
    standing: pa.Table
    readdressed: pa.Table
    figures: tuple[ListFigures, ...]


def compare(subject: Subject, desired: Desired, holdings: Holdings, memory: Memory, workspace: Workspace, *, with_rows: bool) -> Comparison:
    """Compare the night's memberships with what the destination holds; `rows` stays empty where nobody is to write them."""
    with workspace.database() as database:
        sets = _Sets(database.execute, subject, keeps_contacts=holdings.contacts is not None)
        tables = _tables(subject, desired, holdings, memory)
        for name, table in tables.items():
            database.register(name, table)
        sets.judge()
        sets.stand()
        sets.differ(desired.as_of)

        def table_of(sql: str) -> pa.Table:
            return workspace.table(database.sql(sql).to_arrow_reader())

        return Comparison(
            enter=table_of("select segment, customer_id, address, content_hash from entering order by segment, customer_id"),
            leave=table_of("select segment, customer_id, address, '' as content_hash from leaving order by segment, customer_id"),
            update=table_of("select * exclude (contact_key) from updating order by customer_id"),
            rows=_rows(table_of, tables["members"]) if with_rows else tables["members"].slice(0, 0),
            standing=table_of("select segment, customer_id from standing"),
            readdressed=table_of("select segment, customer_id from readdressed order by segment, customer_id"),
            figures=sets.figures(holdings.lists),
        )


def _rows(table_of: Callable[[str], pa.Table], members: pa.Table) -> pa.Table:
    """The members who are wanted; mostly all of them, and then nothing is copied."""
    wanted = table_of("select count(*) as customers from wanted")["customers"][0].as_py()
    return members if wanted == members.num_rows else table_of("select * from members semi join wanted using (segment, customer_id)")


def _tables(subject: Subject, desired: Desired, holdings: Holdings, memory: Memory) -> dict[str, pa.Table]:
    columns = {name: pa.array([getattr(one, name) for one in subject.lists], pa.string()) for name in ("segment", "title", "channel")}
    # A segment that the destination no longer takes still has members.
    retired = [one.segment for one in subject.lists if one.is_retired]
    members = desired.members
    if retired:
        members = members.filter(pc.invert(pc.is_in(members["segment"], pa.array(retired))))
    return {
        "lists": pa.table({**columns, "position": pa.array(range(len(subject.lists)), pa.int64())}),
        "members": members,
        "former": desired.former,
        "addresses": desired.addresses,
        "held_members": holdings.members,
        "held_contacts": CONTACTS_SCHEMA.empty_table() if holdings.contacts is None else holdings.contacts,
        "permitted": desired.permitted,
        "sent": memory.sent,
        "refused": memory.refused,
        "lately_left": memory.left,
        "lately_entered": memory.entered,
    }


class _Sets:
    """The sets of one comparison, each a temporary table made of the registered ones."""

    def __init__(self, execute: Execute, subject: Subject, *, keeps_contacts: bool):
        self._execute = execute
        self._subject = subject
        self._keeps_contacts = keeps_contacts
        self._is_by_customer = subject.capabilities.contact_key == CUSTOMER_KEY
        # Mixed into every hash, so that a hash says nothing about another audience: what was sent to one was not sent to the next.
        self._seed = json.dumps(asdict(subject.target), sort_keys=True)
        execute("create temporary macro contact_key_of(customer_id, address) as " + subject.capabilities.contact_key)

    def judge(self) -> None:
        """Make `candidates`: every member of the night, with the reason why it is held back; null for those who are wanted.

        Of several customers with one address the strictest permission holds, and one of them stands for the contact. What cannot
        occur is not looked for: two customers of one key, or more of them than an endless list takes.
        """
        given = {"value_at_risk", *self._subject.fields.values()}
        columns = ", ".join(f"m.{name}" for name in ("segment", "customer_id", "address", "contact_permission", *sorted(given)))
        by_reason = "row_number() over (partition by segment, {} reason is null order by {} customer_id)"
        copy = "1" if self._is_by_customer else by_reason.format("contact_key,", "")
        place = by_reason.format("", "value_at_risk desc nulls last,") if self._subject.list_cap else "1"
        strictest = "bool_or(k.contact_permission <> 'granted') over (partition by k.channel, coalesce(k.contact_key, k.customer_id))"
        mails = self._subject.capabilities.mails
        fields = ", ".join(f'"{field}" := {FIELDS[column][1]}' for field, column in sorted(self._subject.fields.items()))
        self._execute(
            f"""
            create temporary table candidates as
            with keyed as (
                select {columns}, l.channel, contact_key_of(m.customer_id, m.address) as contact_key,
                    left(sha256(? || {f"to_json(struct_pack({fields}))" if fields else "''"}), 32) as content_hash
                from members as m
                join lists as l using (segment)
            ), judged as (
                select k.*, case
                    when {not mails} then null
                    when {strictest if mails else "false"} then 'permission'
                    when k.address is null then 'address'
                    when r.customer_id is not null then 'refused'
                    when h.contact_key is null and ? then 'unknown'
                    when not h.is_live then 'state'
                end as reason
                from keyed as k
                left join refused as r on r.customer_id = k.customer_id
                left join held_contacts as h on h.contact_key = k.contact_key
            ), placed as (
                select *, {copy} as copy, {place} as place from judged
            )
            select * exclude (channel, reason, copy, place),
                case when reason is not null then reason when copy > 1 then 'same address' when place > ? then 'cap' end as held_back
            from placed
            """,
            [
                self._seed,
                self._keeps_contacts and not self._subject.creates_contacts,
                self._subject.list_cap or 2**62,
            ],
        )
        self._execute("create temporary view wanted as select * from candidates where held_back is null")

    def stand(self) -> None:
        """Make `standing`: who is on the lists, as customers.

        Contacts in a state that is left alone, and those that the tool refused tonight, are not live: they stay as they are.
        """
        customer, parameters = "m.contact_key", {}
        if not self._is_by_customer:
            stranger = f"'{STRANGER}' || left(sha256($key || sha256($key || $seed || m.contact_key)), 16)"
            customer = f"coalesce(min(w.customer_id), min(k.customer_id), {stranger})"
            parameters = {"seed": self._seed, "key": self._subject.stranger_key}
        self._execute(
            f"""
            create temporary table standing as
            select m.segment, m.contact_key, max(m.address) as address, {customer} as customer_id,
                bool_and(coalesce(h.is_live, not $keeps_contacts) and r.contact_key is null) as is_live
            from held_members as m
            semi join lists using (segment)
            {"" if self._is_by_customer else CUSTOMERS_OF_KEYS}
            left join held_contacts as h on h.contact_key = m.contact_key
            left join (select distinct contact_key from candidates where held_back = 'refused') as r on r.contact_key = m.contact_key
            group by m.segment, m.contact_key
            """,
            {"keeps_contacts": self._keeps_contacts} | parameters,
        )

    def differ(self, as_of: date) -> None:
        """Make `entering`, `leaving`, `readdressed`, `updating`, and `gone`, who left lately, before their time and for good."""
        # One join of all with all; what differs is then only looked up in it.
        self._execute(
            """
            create temporary table paired as
            select w.segment, w.customer_id, w.address, w.contact_permission, w.content_hash,
                s.segment as standing_segment, s.customer_id as standing_id, s.address as standing_address, s.is_live
            from wanted as w
            full join standing as s on s.segment = w.segment and s.contact_key = w.contact_key
            """
        )
        self._execute(
            """
            create temporary table entering as
            select segment, customer_id, address, content_hash from paired where standing_segment is null
            """
        )
        self._execute(
            """
            create temporary table leaving as
            select s.standing_segment as segment, s.standing_id as customer_id, s.standing_address as address,
                coalesce(f.expires_on < ?, false) as is_expected
            from (select * from paired where segment is null and is_live) as s
            left join former as f on f.segment = s.standing_segment and f.customer_id = s.standing_id
            """,
            [as_of],
        )
        self._execute(
            """
            create temporary table readdressed as
            select segment, customer_id
            from paired
            where contact_permission = 'granted' and standing_address <> address
                and lower(trim(standing_address)) <> lower(trim(address))
            """
        )
        self._execute(
            """
            create temporary table gone as
            select distinct l.segment, l.customer_id
            from lately_left as l
            anti join wanted as w using (segment, customer_id)
            left join former as f on f.segment = l.segment and f.customer_id = l.customer_id
            where f.expires_on is null or f.expires_on >= l.as_of_date
            """
        )
        columns = "".join(f', {FIELDS[column][1]} as "{field}"' for field, column in sorted(self._subject.fields.items()))
        self._execute(
            f"""
            create temporary table updating as
            select w.customer_id, w.contact_key, w.address, w.content_hash{columns}
            from wanted as w
            left join sent as s on s.customer_id = w.customer_id
            left join held_contacts as h on h.contact_key = w.contact_key
            where ({bool(self._subject.fields)} and w.content_hash is distinct from s.content_hash)
                or ({self._subject.creates_contacts} and h.contact_key is null)
            qualify row_number() over (partition by w.contact_key order by w.customer_id, w.segment) = 1
            """
        )

    def figures(self, existing: frozenset[str]) -> tuple[ListFigures, ...]:
        rows = self._execute(
            """
            with counted as (
                select c.segment,
                    count(*) filter (c.held_back is null) as wanted,
                    count(*) filter (c.held_back <> 'refused') as held_back,
                    count(*) filter (c.held_back = 'refused') as refused,
                    count(p.customer_id) as permitted,
                    count(p.customer_id) filter (c.contact_permission <> 'granted') as withdrawn
                from candidates as c
                left join permitted as p using (segment, customer_id)
                group by c.segment
            ),
            live as (select segment, count(*) as customers from standing where is_live group by segment)
            select l.segment, l.title,
                coalesce(n.wanted, 0),
                coalesce(live.customers, 0),
                (select count(*) from entering where segment = l.segment),
                (select count(*) from leaving where segment = l.segment),
                (select count(*) from leaving where segment = l.segment and is_expected),
                coalesce(n.held_back, 0),
                coalesce(n.refused, 0),
                (select count(*) from readdressed where segment = l.segment),
                coalesce(n.permitted, 0),
                coalesce(n.withdrawn, 0),
                (select count(*) from gone where segment = l.segment),
                coalesce(live.customers, 0)
                    + (select count(*) from lately_left where segment = l.segment)
                    - (select coalesce(sum(customers), 0)::bigint from lately_entered where segment = l.segment)
            from lists as l
            left join counted as n using (segment)
            left join live using (segment)
            order by l.position
            """
        ).fetchall()
        retired = {one.segment for one in self._subject.lists if one.is_retired}
        return tuple(
            replace(ListFigures(segment, title, segment in existing, *counts), is_retired=segment in retired)
            for segment, title, *counts in rows
        )
