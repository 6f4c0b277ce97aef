"""From judged rows to the rows of a canonical table: their keys, their content hashes, and which of them are the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ingestion.tabular.binding import Binding
from ingestion.tabular.mapping import OWN_ID, own_columns
from regulars.literal import literal
from regulars.tables import CONSENTS, CUSTOMERS, ORDER_LINES, ORDERS, PRODUCTS, REFUNDS, ColumnType, Table
from regulars.warehouse.duckdb import COLUMN_TYPES

BEGINNING = "timestamp '1970-01-01'"
"""event_at of what has no date of its own, such as a product: it was always so."""

_ID_LENGTH = 16
_EVENT = {
    CUSTOMERS: "registered_at",
    ORDERS: "ordered_at",
    ORDER_LINES: "ordered_at",
    REFUNDS: "refunded_at",
    PRODUCTS: None,
    CONSENTS: "changed_at",
}
_ACCOUNT = "resolved_account"
IS_USED = "not exists (select 1 from judged where judged.line = resolved.line)"
"""SQL over `resolved`: nothing is wrong with the row, no rule excludes it, and it takes nothing back."""
IS_CANCELLED = "line in (select line from judged where is_cancelled and problem is null and excluded_by is null)"


@dataclass(frozen=True)
class Outlet:
    """A canonical table that rows of `resolved` go to.

    Attributes:
        values: SQL over `resolved` of every own column, but for the id that follows from the key.
        event_at: SQL of when it happened.
        where: which rows of `resolved` go this way.
        key: SQL of what tells rows apart; empty: equal rows are different ones.
        derived_id: the id that follows from the key, if one does.
    """

    table: Table
    values: dict[str, str]
    event_at: str
    where: str
    key: str = ""
    derived_id: str = ""

    def chosen(self) -> str:
        """SQL of the view `chosen`: the rows that go this way, their values as the table has them."""
        values = ", ".join(f"cast({sql} as {COLUMN_TYPES[self._types[name]]}) as {name}" for name, sql in self.values.items())
        return f"""
            create or replace temporary view chosen as
            select line, last_line, {self.key or "null"} as declared_key, {self.event_at} as event_at, {values}
            from resolved where {self.where}
        """

    def keyed(self, rows: str = "chosen") -> str:
        """Query of rows of `chosen` with their keys and content hashes.

        A row without key is named by file, content and its place among the equal rows of the file, so that a grown file
        brings what is new in it. That name rests on the columns that say what happened, not on those that describe it:
        a mapping that is given one more column makes new versions, not new rows.
        """
        others = [name for name in self.values if name not in self._core]
        return f"""
            select * exclude (declared_key, core_hash), {"declared_key" if self.key else "core_hash"} as row_key,
                md5(core_hash || {told_apart(others, self._types)}) as content_hash
            from (select *, md5({told_apart(self._core, self._types)}) as core_hash from {rows})
        """

    def repeated(self) -> str:
        """SQL of the table `repeated`: likenesses that several rows have. Equal keys have equal ones, which are cheaper than keys."""
        return f"""
            create or replace temporary table repeated as
            select {self._likeness} as likeness from chosen group by likeness having count(*) > 1
        """

    def repeats(self) -> str:
        """SQL of the table `repeats`: the few rows that may share their key with another row of the file, and the fate of each."""
        is_same = "content_hash = first_value(content_hash) over same_key"
        contradicts = f"when {is_same} then 'merged' else 'contradicting'" if self.key else "else 'kept'"
        return f"""
            create or replace temporary table repeats as
            select line, last_line, row_number() over same_key as place, first_value(line) over same_key as first_line,
                case when row_number() over same_key = 1 then 'kept' {contradicts} end as fate
            from ({self.keyed(f"(select * from chosen where {self._likeness} in (select likeness from repeated))")})
            window same_key as (partition by row_key order by line)
        """

    def kept(self, label: str, ordinal: int) -> str:
        """Query of the rows that are kept, in the order of the file, as an extraction holds them."""
        if self.key:
            key, own_id, taken = "row_key", f"left(md5(row_key), {_ID_LENGTH})", ""
        else:
            file_code = hashlib.sha256(label.encode()).hexdigest()[:6]
            number = "(coalesce(place, 1) + coalesce(taken, 0))"
            key = f"{self.begin_of_key(label)} || {number}"
            own_id = f"{literal(file_code + '-')} || left(row_key, {_ID_LENGTH}) || case when {number} > 1 then '-' || {number} else '' end"
            taken = f"left join taken on taken.begin = {self.begin_of_key(label)}"
        columns = [f"{own_id} as {column.name}" if column.name == self.derived_id else column.name for column in own_columns(self.table)]
        return f"""
            select {", ".join(columns)}, {key} as record_key, content_hash, event_at,
                {literal(label)} as file, line, {ordinal} as file_ordinal
            from ({self.keyed()}) as keyed left join repeats using (line) {taken}
            where coalesce(fate, 'kept') = 'kept'
        """

    @property
    def _types(self) -> dict[str, ColumnType]:
        return {column.name: column.type for column in own_columns(self.table)}

    @property
    def _core(self) -> list[str]:
        """The columns that say what happened."""
        nullable = {column.name for column in own_columns(self.table) if column.nullable}
        return [name for name in self.values if name not in nullable or name in ("account_id", "product_id")]

    @property
    def _likeness(self) -> str:
        return f"hash({'declared_key' if self.key else ', '.join(self._core)})"

    @staticmethod
    def begin_of_key(label: str) -> str:
        """SQL of the record_key of a row without key, up to its place."""
        return f"{literal(label + '#')} || row_key || '#'"


def told_apart(names: list[str], types: dict[str, ColumnType]) -> str:
    """SQL of one text from several values, never the same from different ones: the lengths of the texts stand at its end."""
    lengths = [f"length({name})" for name in names if types[name] == "text"]
    parts = ", '|', ".join([*names, *lengths])
    return f"concat({parts})"


def _event(table: Table, values: dict[str, str]) -> str:
    name = _EVENT[table]
    return f"coalesce({values[name]}, {BEGINNING})" if name in values else BEGINNING


def main_outlet(binding: Binding) -> Outlet:
    """The rows that the mapping is about."""
    table = binding.table
    values = {column.name: f"v_{column.name}" if column.name in binding.rules else "null" for column in own_columns(table)}
    if "account_id" in values:
        values["account_id"] = _ACCOUNT
    if "normalised_email" in values:
        values["normalised_email"] = "normalised_email"
    if "currency" in values and "currency" not in binding.rules:
        values["currency"] = literal(binding.reading.currency)
    if table is ORDER_LINES and "net_revenue" not in binding.rules:
        values["net_revenue"] = "try_cast(v_quantity * v_unit_price as decimal(18, 4))"
    if table is ORDER_LINES and "unit_price" not in binding.rules:
        values["unit_price"] = "try_cast(v_net_revenue / nullif(v_quantity, 0) as decimal(18, 4))"
    own_id = OWN_ID[table][0]
    derived_id = "" if own_id in binding.rules or own_id == "account_id" else own_id
    values.pop(derived_id, None)
    return Outlet(table, values, _event(table, values), IS_USED, key=_key(binding), derived_id=derived_id)


def cancelled_outlet(binding: Binding) -> Outlet:
    """The rows that take earlier ones back, as refunds of an order that the file does not name."""
    main = main_outlet(binding).values
    values = {
        "order_id": "null",
        "line_id": "null",
        "account_id": _ACCOUNT,
        "product_id": main.get("product_id", "null"),
        "quantity": f"abs({main['quantity' if binding.table is ORDER_LINES else 'items_count']})",
        "unit_price": main.get("unit_price", "null"),
        "amount": f"abs({main['net_revenue']})",
        "refunded_at": main["ordered_at"],
        "reason": "null",
        "match_within_days": str(binding.match_within_days),
        "currency": main["currency"],
    }
    return Outlet(REFUNDS, values, main["ordered_at"], IS_CANCELLED, key=_key(binding), derived_id="refund_id")


def _key(binding: Binding) -> str:
    """What tells rows apart: the declared columns as the file has them, or the table's own id."""
    if binding.mapping.row_key is not None:
        return joined([binding.text(name) for name in binding.mapping.row_key])
    return joined([f"cast({_ACCOUNT if name == 'account_id' else f'v_{name}'} as varchar)" for name in OWN_ID[binding.table]])


def joined(texts: list[str]) -> str:
    """One text from several, so that ('a|b', 'c') and ('a', 'b|c') stay apart."""
    if len(texts) == 1:
        return texts[0]
    return " || '|' || ".join(f"replace(replace({text}, '\\', '\\\\'), '|', '\\|')" for text in texts)
