"""A table's mapping held against the header of one file: which text becomes which canonical column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from ingestion.row_predicate import LINE, RowPredicate, RuleType, closest, speakable
from ingestion.tabular.mapping import (
    EMAIL,
    HOW_TO_TELL_APART,
    ColumnRule,
    TableMapping,
    mappable_columns,
    missing_columns,
    missing_id,
    own_columns,
)
from ingestion.tabular.rows import FileRows
from ingestion.tabular.typing_sql import TypedText, as_written, literal, typed
from regulars.errors import ConfigurationError, InputError
from regulars.segment_rule import RuleError
from regulars.tables import Column, Table

LATEST_EVENT = timedelta(days=1)
"""After its known_at, a run believes no event: a day, for clocks and zones that are set wrong."""


@dataclass(frozen=True)
class TableReading:
    """What one canonical table takes from one file, beside the file itself."""

    table: Table
    mapping: TableMapping
    source: str
    time_zone: str
    currency: str
    account_id_prefix: str


class Binding:
    """See the module.

    Args:
        known_at: when the run learns of the rows.

    Raises:
        InputError: the file lacks a column that the mapping names.
        ConfigurationError: the mapping's rules do not fit the file's columns.
    """

    def __init__(self, reading: TableReading, rows: FileRows, *, known_at: datetime):
        self._latest = known_at + LATEST_EVENT
        self.reading, self.table, self.mapping, self._rows = reading, reading.table, reading.mapping, rows
        self._where = f"sources.{reading.source}.tables.{self.table.name}"
        mapped = self.mapping.rules()
        self.is_by_name = mapped is None
        if mapped is None:
            mapped = {name: ColumnRule(column=name) for name in mappable_columns(self.table) if name in rows.columns}
        self.rules: dict[str, ColumnRule] = mapped
        self._check_columns()
        self._types, self._inputs = self._predicate_inputs()
        self.excludes = [
            (rule.reason, self._predicate(rule.when, f"exclude.{place}.when")) for place, rule in enumerate(self.mapping.exclude)
        ]
        cancellations = getattr(self.mapping, "cancellations", None)
        self.cancellation = self._predicate(cancellations.when, "cancellations.when") if cancellations else None
        self.match_within_days = cancellations.matching.within_days if cancellations else None

    def _check_columns(self) -> None:
        expected = [rule.column for rule in self.rules.values() if rule.column is not None] + (self.mapping.row_key or [])
        if self.is_by_name:
            expected += missing_columns(self.table, set(self.rules))
        found = self._rows.columns
        if missing := [name for name in dict.fromkeys(expected) if name not in found]:
            unmapped = [name for name in found if name and name not in expected] or found
            questions = "; ".join(f"{name!r}: {closest(name, unmapped)}" for name in missing)
            raise InputError(
                f"{self._rows.label} does not have the columns that {self._where} expects. Missing {questions}. "
                f"Found: {', '.join(speakable(found))}."
                f"{self._rows.hint()} Correct the mapping in config/sources.yml, or have the file exported with the columns as they were."
            )
        for name in dict.fromkeys(expected):
            if found.count(name) > 1:
                raise InputError(
                    f"{self._rows.label} has the column {name!r} {found.count(name)} times: which one does {self._where} mean?"
                )
            if name in self._rows.nested:
                raise self.error(f"the column {name!r} of {self._rows.label} holds lists or records; expected plain values")
        for canonical, rule in self.rules.items():
            if rule.format and rule.column in self._rows.times:
                raise self.error(f"{rule.column!r} of {self._rows.label} holds times already, not texts: leave the format out", canonical)
        if self.mapping.row_key is None and (absent := missing_id(self.table, set(self.rules))):
            raise self.error(f"as {self._rows.label} has no column {', '.join(absent)}, {HOW_TO_TELL_APART}")

    def error(self, problem: str, key: str = "") -> ConfigurationError:
        """A complaint about the mapping of the table, or of one of its columns."""
        where = f"{self._where}.columns.{key}" if key else self._where
        return ConfigurationError(problem, file="config/sources.yml", key=where)

    def source_column(self, canonical: str) -> str:
        """Name of the column as the file has it, for the reasons of quarantined rows."""
        rule = self.rules.get(canonical)
        return canonical if rule is None or rule.column is None else rule.column

    def text(self, column: str) -> str:
        """Alias of the text of a column of the file."""
        return f"t{self._rows.columns.index(column)}"

    @cached_property
    def texts(self) -> dict[str, str]:
        """SQL of every text that is needed, by alias: null where it means nothing."""
        needed = [rule.column for rule in self.rules.values() if rule.column is not None] + (self.mapping.row_key or [])
        needed += [name for text in self._predicate_texts() for name in RowPredicate(text).columns if name in self._rows.columns]
        expressions = {}
        for name in dict.fromkeys(needed):
            field = f"c{self._rows.columns.index(name)}"
            nothing = ", ".join(literal(text) for text in ("", *self.mapping.nulls))
            expressions[self.text(name)] = f"case when {field} not in ({nothing}) then {field} end"
        return expressions

    @property
    def key_texts(self) -> list[str]:
        """Aliases of the texts that the declared key consists of."""
        return list(dict.fromkeys(self.text(name) for name in self.mapping.row_key or []))

    @cached_property
    def values(self) -> dict[str, TypedText]:
        """Every mapped canonical column."""
        columns = {column.name: column for column in own_columns(self.table)} | {EMAIL: Column(EMAIL, "text", "Names a guest.")}
        values = {}
        for canonical, rule in self.rules.items():
            text = self.text(rule.column) if rule.column is not None else literal(rule.constant or "")
            values[canonical] = typed(
                self.table, columns[canonical], rule, self.mapping, zone=self.reading.time_zone, latest=self._latest, text=text
            )
        return values

    def _predicate_texts(self) -> list[str]:
        cancellations = getattr(self.mapping, "cancellations", None)
        return [rule.when for rule in self.mapping.exclude] + ([cancellations.when] if cancellations else [])

    def _predicate_inputs(self) -> tuple[dict[str, RuleType], dict[str, str]]:
        """Type and alias of what a predicate may name: numbers as numbers, times as the file writes them, the rest as text."""
        types: dict[str, RuleType] = dict.fromkeys(self._rows.columns, "text")
        inputs = {name: self.text(name) for name in self._rows.columns}
        column_types = {column.name: column.type for column in own_columns(self.table)}
        for canonical, rule in self.rules.items():
            if rule.column is None:
                continue
            if column_types.get(canonical) in ("integer", "amount"):
                types[rule.column], inputs[rule.column] = "number", f"v_{canonical}"
            elif column_types.get(canonical) in ("timestamp", "date"):
                types[rule.column], inputs[rule.column] = "time", f"w_{canonical}"
        return types | {LINE: "number"}, inputs | {LINE: "line"}

    @cached_property
    def times_as_written(self) -> dict[str, str]:
        """SQL of the times that predicates name, by alias."""
        named = {name for text in self._predicate_texts() for name in RowPredicate(text).columns}
        return {
            self._inputs[rule.column]: as_written(rule, self.text(rule.column))
            for rule in self.rules.values()
            if rule.column in named and self._types[rule.column] == "time"
        }

    def made_up_row(self) -> str:
        """SQL of values that a predicate can be tried on."""
        examples = {"number": "1", "time": "timestamp '2026-03-01'", "text": "'text'"}
        columns = {alias: examples[self._types[name]] for name, alias in self._inputs.items()}
        return ", ".join(f"{value} as {alias}" for alias, value in columns.items())

    def _predicate(self, text: str, key: str) -> str:
        predicate = RowPredicate(text)
        try:
            predicate.check(self._types)
        except RuleError as error:
            raise ConfigurationError(f"{error} ({self._rows.label})", file="config/sources.yml", key=f"{self._where}.{key}") from None
        return predicate.sql(self._inputs)
