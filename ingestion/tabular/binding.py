"""A table's mapping held against the header of one file: which text becomes which canonical column."""

from __future__ import annotations

from collections.abc import Mapping
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
from ingestion.tabular.stored_columns import StoredColumns
from ingestion.tabular.typing_sql import Stored, TypedText, as_written, typed
from regulars.errors import ConfigurationError, InputError
from regulars.literal import literal
from regulars.segment_rule import RuleError
from regulars.tables import Column, ColumnType, Table

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
        self._stored: Mapping[str, str] = {}
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

    def field(self, column: str) -> str:
        """Name of a column of the file in the engine."""
        return f"c{self._rows.columns.index(column)}"

    def given(self, column: str) -> str:
        """SQL that is null where the file has no value in the column."""
        stored = self._stored_as(column)
        return stored.sql if stored else self.text(column)

    def is_blank(self) -> str:
        """SQL of whether no column has a value."""
        # By their places: a file may have a name twice.
        columns = enumerate(self._rows.columns)
        return " and ".join(f"c{place} is null" if self._stored_as(name) else f"coalesce(c{place}, '') = ''" for place, name in columns)

    def read_as_stored(self, columns: StoredColumns) -> bool:
        """Take the values as the engine finds them in the file, from here on; false when they do not fit, and texts are needed."""
        uses: dict[str, set[ColumnType]] = {name: {"text"} for name in self.mapping.row_key or []}
        for canonical, rule in self.rules.items():
            if rule.column is not None:
                uses.setdefault(rule.column, set()).add(self._canonical[canonical].type)
        for name in self._named_in_predicates:
            if self._types[name] == "text":
                uses.setdefault(name, set()).add("text")
        more_than_texts = {name for name in uses if columns.types.get(name) != "VARCHAR"}
        is_told_by_texts = bool(
            self.mapping.nulls
            or self.mapping.thousands
            or self.mapping.decimal != "."
            or any(rule.values and rule.column in more_than_texts for rule in self.rules.values())
        )
        is_clock_needed = any(columns.types.get(name) == "TIMESTAMP WITH TIME ZONE" for name in self._named_in_predicates)
        if (more_than_texts and is_told_by_texts) or is_clock_needed or not columns.fit(uses):
            return False
        self._stored = columns.types
        return True

    def _stored_as(self, column: str) -> Stored | None:
        type_ = self._stored.get(column, "VARCHAR")
        return None if type_ == "VARCHAR" else Stored(self.field(column), type_)

    @cached_property
    def texts(self) -> dict[str, str]:
        """SQL of every text that is needed, by alias: null where it means nothing."""
        needed = [rule.column for rule in self.rules.values() if rule.column is not None] + (self.mapping.row_key or [])
        needed += [name for name in self._rows.columns if name in self._named_in_predicates]
        expressions = {}
        nothing = ", ".join(literal(text) for text in ("", *self.mapping.nulls))
        for name in dict.fromkeys(needed):
            field = self.field(name)
            is_stored = self._stored_as(name) is not None
            expressions[self.text(name)] = (
                f"cast({field} as varchar)" if is_stored else f"case when {field} not in ({nothing}) then {field} end"
            )
        return expressions

    @property
    def key_texts(self) -> list[str]:
        """Aliases of the texts that the declared key consists of."""
        return list(dict.fromkeys(self.text(name) for name in self.mapping.row_key or []))

    @cached_property
    def values(self) -> dict[str, TypedText]:
        """Every mapped canonical column."""
        values = {}
        for canonical, rule in self.rules.items():
            values[canonical] = typed(
                self.table,
                self._canonical[canonical],
                rule,
                self.mapping,
                zone=self.reading.time_zone,
                latest=self._latest,
                text=self.text(rule.column) if rule.column is not None else literal(rule.constant or ""),
                stored=self._stored_as(rule.column) if rule.column is not None else None,
            )
        return values

    @property
    def _canonical(self) -> dict[str, Column]:
        return {column.name: column for column in own_columns(self.table)} | {EMAIL: Column(EMAIL, "text", "Names a guest.")}

    @property
    def _named_in_predicates(self) -> set[str]:
        """Columns of the file that the rules name."""
        cancellations = getattr(self.mapping, "cancellations", None)
        rules = [rule.when for rule in self.mapping.exclude] + ([cancellations.when] if cancellations else [])
        return {name for rule in rules for name in RowPredicate(rule).columns if name in self._rows.columns}

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
        return {
            self._inputs[rule.column]: as_written(rule, self.text(rule.column), self._stored_as(rule.column))
            for rule in self.rules.values()
            if rule.column in self._named_in_predicates and self._types[rule.column] == "time"
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
