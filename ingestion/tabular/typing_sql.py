"""SQL that turns texts into typed values: null where the text is no such value, which then has its expected form in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ingestion.tabular.currencies import CURRENCIES
from ingestion.tabular.mapping import ColumnRule, TableMapping
from regulars.literal import literal
from regulars.tables import Column, Table

EARLIEST = "1970-01-02"
"""Earlier times are slips of the keyboard, or the zero that a program writes for a time that it does not know."""
EARLIEST_DATE = "1900-01-01"

_CHOICES = {
    ("consents", "channel"): ("email", "sms", "post", "ads"),
    ("consents", "status"): ("granted", "denied"),
}


@dataclass(frozen=True)
class TypedText:
    """An expression over a text, and what the text should have looked like.

    Attributes:
        sql: the value; null where the text is none, or one that cannot be true.
        expected: what a value looks like, in words.
        readable: whether the text is a value at all; empty: there is no value that cannot be true.
        limits: what values can be true, in words.
    """

    sql: str
    expected: str
    readable: str = ""
    limits: str = ""


@dataclass(frozen=True)
class Stored:
    """A column that the file keeps as more than a text: SQL of its value, and the engine's name of its type."""

    sql: str
    type: str


def typed(
    table: Table,
    column: Column,
    rule: ColumnRule,
    mapping: TableMapping,
    *,
    zone: str,
    latest: datetime,
    text: str,
    stored: Stored | None = None,
) -> TypedText:
    """The value of a canonical column.

    Args:
        rule: how the file writes it.
        zone: IANA name of the time zone of times without one; the session's zone is the same.
        latest: what happened later has not happened.
        text: SQL of the text in the file.
        stored: where the file keeps more than a text, which then is not asked.
    """
    if rule.values:
        cases = " ".join(f"when {literal(word)} then {literal(meaning)}" for word, meaning in rule.values.items())
        text = f"case {text} {cases} else {text} end"
    if column.name == "currency":
        # Of a long `in (…)` the engine makes a join, for every use of the value another one.
        codes = literal(f"|{'|'.join(CURRENCIES)}|")
        is_code = f"length({text}) = 3 and contains({codes}, '|' || upper({text}) || '|')"
        return TypedText(f"case when {is_code} then upper({text}) end", "a currency code of ISO 4217, such as EUR")
    if choices := _CHOICES.get((table.name, column.name)):
        listed = ", ".join(literal(choice) for choice in choices)
        return TypedText(f"case when lower({text}) in ({listed}) then lower({text}) end", f"one of {', '.join(choices)}")
    if column.type == "text":
        return TypedText(text, "text")
    if column.type in ("integer", "amount"):
        return _number(table, column, mapping, text, stored)
    if column.type in ("timestamp", "date"):
        return _time(column, rule, zone, latest, text, stored)
    raise NotImplementedError(f"no canonical table has a column of type {column.type} yet; write here how a text becomes one")


def _number(table: Table, column: Column, mapping: TableMapping, text: str, stored: Stored | None) -> TypedText:
    plain = stored.sql if stored else _plain_number(text, mapping)
    number = f"try_cast({plain} as decimal(18, 4))"
    if column.type == "integer":
        # What a file keeps as an integer is whole already; the cast bounds it like any other number.
        whole = f"{number} is not null" if stored else f"{number} = trunc({number})"
        return TypedText(f"case when {whole} then try_cast({stored.sql if stored else number} as bigint) end", "a whole number such as 12")
    example = f"12{mapping.decimal}50"
    if (table.name, column.name) == ("refunds", "amount"):
        return TypedText(f"case when {number} >= 0 then {number} end", f"an amount of 0 or more, such as {example}")
    return TypedText(number, f"an amount such as {example}", f"isfinite(try_cast({plain} as double))", "an amount below 10^14")


def _time(column: Column, rule: ColumnRule, zone: str, latest: datetime, text: str, stored: Stored | None) -> TypedText:
    in_format = f"a time like {' or '.join(rule.format)}" if rule.format else ""
    if column.type == "date":
        day = stored.sql if stored else f"try_cast({_by_format(text, rule) if rule.format else text} as date)"
        plausible = f"case when {day} between date '{EARLIEST_DATE}' and date '{latest:%Y-%m-%d}' then {day} end"
        limits = f"a date between {EARLIEST_DATE} and the day after the run"
        return TypedText(plausible, in_format or "a date such as 2026-03-01", f"isfinite({day})", limits)
    zoned = (
        f"timezone({literal(zone)}, {_by_format(text, rule)})"
        if rule.format
        else f"try_cast({stored.sql if stored else text} as timestamptz)"
    )
    # The engine does not see that nothing is to be done.
    moment = stored.sql if stored and stored.type == "TIMESTAMP" and zone == "UTC" else f"timezone('UTC', {zoned})"
    plausible = f"case when {moment} between timestamp '{EARLIEST}' and timestamp '{latest}' then {moment} end"
    expected = in_format or "a time such as 2026-03-01 14:30:00 or 2026-03-01T14:30:00Z"
    return TypedText(plausible, expected, f"isfinite({moment})", f"a time between {EARLIEST} and one day after the run")


def as_written(rule: ColumnRule, text: str, stored: Stored | None = None) -> str:
    """The time as the clock on the file's wall showed it, for rules that people write."""
    if stored:
        return f"cast({stored.sql} as timestamp)"
    return _by_format(text, rule) if rule.format else f"try_cast({text} as timestamp)"


def _by_format(text: str, rule: ColumnRule) -> str:
    return f"try_strptime({text}, [{', '.join(literal(format_) for format_ in rule.format)}])"


def _plain_number(text: str, mapping: TableMapping) -> str:
    """The number with a point and without groups; null where its signs stand in the wrong places, 1.234 for 1,234 say."""
    if mapping.thousands is not None:
        group, point = (f"\\{sign}" for sign in (mapping.thousands, mapping.decimal))
        pattern = rf"[+-]?(\d{{1,3}}({group}\d{{3}})+|\d+)({point}\d+)?"
        bare = f"replace(replace({text}, {literal(mapping.thousands)}, ''), {literal(mapping.decimal)}, '.')"
        return f"case when regexp_full_match({text}, {literal(pattern)}) then {bare} end"
    if mapping.decimal == ",":
        return f"case when not contains({text}, '.') and not contains({text}, '_') then replace({text}, ',', '.') end"
    # The engine reads 1_000 as a thousand.
    return f"case when not contains({text}, '_') then {text} end"
