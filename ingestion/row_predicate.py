"""A rule over the rows of a file: a SQL predicate over its columns, parsed and checked before it runs.

As with a segment's rule, the text is never pasted into a query: it is parsed to a tree, held against a list of what it
may hold, and written out anew with the columns that the file really has.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Literal

import sqlglot
from sqlglot import exp

from regulars.segment_rule import ALLOWED, PREDICATES, RuleError

TEXT_FUNCTIONS = (exp.Like, exp.ILike, exp.StartsWith, exp.Upper, exp.Lower, exp.Trim, exp.Length)
NAME, VALUE = re.compile(r"[^\W\d]"), re.compile(r"@|\d{4}")
LINE = "line"
"""Pseudo-column of every file: the row's first line, counted from 1 with the header."""

RuleType = Literal["number", "time", "text"]


class RowPredicate:
    """A checked predicate.

    Raises:
        RuleError: at construction, for anything but one predicate over columns, numbers and texts.
    """

    def __init__(self, text: str):
        try:
            trees = sqlglot.parse(text, read="postgres")
        except sqlglot.errors.ParseError as error:
            near = error.errors[0].get("highlight") if error.errors else None
            raise RuleError("this is no SQL predicate" + (f" near {near!r}" if near else "")) from None
        except sqlglot.errors.TokenError:
            raise RuleError("this is no SQL predicate: a quote or bracket is not closed") from None
        if len(trees) != 1 or trees[0] is None:
            raise RuleError("expected one SQL predicate, such as `Quantity < 0`")
        self._tree = trees[0]
        for node in self._tree.walk():
            if not isinstance(node, (*ALLOWED, *TEXT_FUNCTIONS)):
                raise RuleError(
                    f"{node.sql(dialect='postgres')!r} is not allowed here; compare columns with numbers and texts, "
                    "or use like, starts_with, upper, lower, trim and length"
                )
            if isinstance(node, exp.Column) and node.table:
                raise RuleError(f"write {node.name!r} without a table before it")
        if not isinstance(self._tree.unnest(), (*PREDICATES, exp.StartsWith)):
            raise RuleError("the rule must be true or false for each row; compare something, as in `Quantity < 0`")

    @property
    def columns(self) -> frozenset[str]:
        """Columns that the predicate speaks of, `line` among them."""
        return frozenset(column.name for column in self._tree.find_all(exp.Column))

    def check(self, types: Mapping[str, RuleType]) -> None:
        """Hold the predicate against the columns of a file.

        Raises:
            RuleError: a column is missing, or a text is compared with a number.
        """
        for name in sorted(self.columns - types.keys()):
            raise RuleError(f"the file has no column {name!r}; {closest(name, types)}")
        for node in self._tree.find_all(exp.Binary, exp.Between, exp.In):
            sides = [side.unnest() for side in node.iter_expressions()]
            texts = [side.name for side in sides if isinstance(side, exp.Column) and types[side.name] == "text"]
            numbers = [side for side in sides if (isinstance(side, exp.Literal) and not side.is_string) or isinstance(side, exp.Neg)]
            if texts and numbers:
                raise RuleError(f"{texts[0]!r} is text here: put the value that it is compared with in single quotes")

    def sql(self, expressions: Mapping[str, str]) -> str:
        """The predicate for DuckDB, with an expression of the query in place of each column; a null makes it false."""
        tree = self._tree.transform(lambda node: exp.column(expressions[node.name]) if isinstance(node, exp.Column) else node)
        return f"coalesce({tree.sql(dialect='duckdb')}, false)"


def closest(name: str, known: Iterable[str]) -> str:
    """What a person should look at instead of a column that is not there."""
    known = speakable(known)
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f"is it now called {by_lower[close[0]]!r}?" if close else f"columns: {', '.join(known)}"


def speakable(columns: Iterable[str]) -> list[str]:
    """Names of columns as an error may show them: none, when one looks like a value.

    In a file without a header a customer stands where the names should be.
    """
    names = list(columns)
    if all(not name or (NAME.match(name) and not VALUE.search(name)) for name in names):
        return names
    return ["not shown, as the first line looks like data and not like a header"]
