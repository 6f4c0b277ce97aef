"""A segment's rule: a SQL predicate over documented columns, parsed and checked before it runs.

The rule is never pasted into a query as text: it is parsed to a tree, held against a list of what it may hold, and
written out anew, in the SQL that the warehouse's engines share.
"""

from __future__ import annotations

import difflib

import sqlglot
from sqlglot import exp

from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, ColumnType

RULE_COLUMNS: dict[str, ColumnType] = {
    column.name: column.type
    for table in (CUSTOMER_FEATURES, CUSTOMER_SCORES)
    for column in table.columns
    if column.name not in ("customer_id", "as_of_date")
}
"""What a rule may speak of: the customer's features and scores of the night."""

ALLOWED = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Between,
    exp.In,
    exp.Is,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Neg,
    exp.Abs,
    exp.Coalesce,
    exp.Least,
    exp.Greatest,
    exp.Case,
    exp.If,
)
PREDICATES = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean)


class RuleError(ValueError):
    """The rule cannot be used; the text says why and what to do."""


class SegmentRule:
    """A checked rule.

    Raises:
        RuleError: at construction, for anything but a predicate over `RULE_COLUMNS`.
    """

    def __init__(self, text: str):
        try:
            trees = sqlglot.parse(text, read="postgres")
        except sqlglot.errors.ParseError as error:
            detail = error.errors[0] if error.errors else {}
            at = f" near {detail['highlight']!r}" if detail.get("highlight") else ""
            raise RuleError(f"this is no SQL predicate{at}") from None
        except sqlglot.errors.TokenError:
            raise RuleError("this is no SQL predicate: a quote or bracket is not closed") from None
        if len(trees) != 1 or trees[0] is None:
            raise RuleError("expected one SQL predicate, such as `days_since_last_order > 60`")
        self._tree = trees[0]
        for node in self._tree.walk():
            if not isinstance(node, ALLOWED):
                shown = node.sql(dialect="postgres")
                raise RuleError(f"{shown!r} is not allowed in a rule; compare columns with numbers, texts and each other")
            if isinstance(node, exp.Column):
                self._check_column(node)
        top = self._tree.unnest()
        if not (isinstance(top, PREDICATES) or (isinstance(top, exp.Column) and RULE_COLUMNS[top.name] == "boolean")):
            raise RuleError("the rule must be true or false for each customer; compare something, as in `orders_count >= 2`")

    @staticmethod
    def _check_column(column: exp.Column) -> None:
        if column.table:
            raise RuleError(f"write {column.name!r} without a table before it")
        if column.name not in RULE_COLUMNS:
            close = difflib.get_close_matches(column.name, RULE_COLUMNS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "see docs/reference/columns.md for the columns"
            raise RuleError(f"there is no column {column.name!r}; {hint}")

    @property
    def columns(self) -> frozenset[str]:
        """Columns that the rule speaks of."""
        return frozenset(column.name for column in self._tree.find_all(exp.Column))

    def sql(self) -> str:
        """The rule as every engine understands it. A null on either side of a comparison makes the rule false.

        A quotient is one of fractions, and null where it would be by 0: engines differ in both.
        """
        return self._tree.transform(_fractional).sql(dialect="postgres")


def _fractional(node: exp.Expression) -> exp.Expression:
    if not isinstance(node, exp.Div):
        return node
    return exp.Div(
        this=exp.cast(node.this, exp.DataType.Type.DOUBLE), expression=exp.Nullif(this=node.expression, expression=exp.Literal.number(0))
    )
