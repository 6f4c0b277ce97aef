"""What must hold of a profile, one statistic at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from quality.profile import WHOLE_TABLE, Key

BEYOND_ANY_SHOP = 1e12


@dataclass(frozen=True)
class Rule:
    """`lower <= statistic of column of table <= upper`, and in `promise` why that must be so.

    Above `warn_above` the night goes on and a person is told. What compares with other nights or with what is usual can
    be right all the same, after a sale or a move to another shop system: such a rule `is_acceptable` by a person.
    """

    table: str
    column: str
    statistic: str
    lower: float
    upper: float
    promise: str
    is_acceptable: bool = False
    warn_above: float | None = None

    @property
    def key(self) -> Key:
        return self.table, self.column, self.statistic


Outcome = Literal["met", "warned", "accepted", "broken"]


@dataclass(frozen=True)
class Finding:
    """What came of one rule. `observed` is None where the profile had no such value: then it is not met."""

    rule: Rule
    observed: float | None

    @property
    def is_met(self) -> bool:
        return self.observed is not None and self.rule.lower <= self.observed <= self.rule.upper

    @property
    def is_warning(self) -> bool:
        return self.is_met and self.rule.warn_above is not None and self.observed is not None and self.observed > self.rule.warn_above

    def place(self) -> str:
        """Where it was found: table, or table and column."""
        return self.rule.table if self.rule.column == WHOLE_TABLE else f"{self.rule.table}.{self.rule.column}"

    def measured(self) -> str:
        """The statistic in words."""
        words = self.rule.statistic.replace("rows_against: ", "rows against ").replace("rows_count", "rows").replace("_", " ")
        return words.replace("distinct count", "different keys").replace("psi", "PSI").replace("bins count", "different values (binned)")

    def seen(self) -> str:
        """What was found and what was expected."""
        found = "is missing" if self.observed is None else f"is {number(self.observed)}"
        return f"{found}, expected {_bounds(self.rule.lower, self.rule.upper)}"


def _bounds(lower: float, upper: float) -> str:
    if lower == upper:
        return number(lower)
    if upper >= BEYOND_ANY_SHOP:
        return "a finite number" if lower <= -BEYOND_ANY_SHOP else f"at least {number(lower)}"
    if lower <= -BEYOND_ANY_SHOP:
        return f"at most {number(upper)}"
    return f"between {number(lower)} and {number(upper)}"


def number(value: float) -> str:
    return f"{value:,.0f}" if isfinite(value) and value == round(value) and abs(value) < BEYOND_ANY_SHOP else f"{value:,.6g}"
