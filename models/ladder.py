"""The ladder: what a shop can be scored with, from what needs no data to what needs the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Rung = Literal["rules", "formula", "buy_till_you_die", "blend"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
IN_WORDS: dict[str, str] = {
    "rules": "rules",
    "formula": "the formula",
    "buy_till_you_die": "buy-till-you-die",
    "blend": "the blend",
    "rfm_cells": "RFM cells",
    "serving": "the serving model",
}

FEWEST_RETURNED: dict[Rung, int] = {"formula": 10, "buy_till_you_die": 50}
"""Customers who ordered on a second day, without whom a rung has nothing to go by: the formula no usual gap, buy-till-you-die no
way to tell rare orders from early farewells."""


@dataclass(frozen=True)
class Bearing:
    """The highest rung that a shop's data can bear, and why they bear no higher one; None for the highest of all."""

    highest: Rung
    why_not_higher: str | None

    @property
    def rungs(self) -> Sequence[Rung]:
        """What can be tried, ascending."""
        return RUNGS[: RUNGS.index(self.highest) + 1]

    def below(self, rung: Rung, why: str) -> Bearing:
        """The same data when `rung` lacks something else: `why`."""
        highest = RUNGS[min(RUNGS.index(self.highest), RUNGS.index(rung) - 1)]
        return self if highest == self.highest and self.why_not_higher is not None else Bearing(highest, why)


def borne_by(customers: int, returned: int) -> Bearing:
    """What so many customers bear of whom so many ordered on a second day."""
    for rung, fewest in FEWEST_RETURNED.items():
        if returned < fewest:
            below = RUNGS[RUNGS.index(rung) - 1]
            came = "none of them" if returned == 0 else f"{returned} of them"
            return Bearing(below, f"{customers:,} customers, {came} ordered on a second day; {IN_WORDS[rung]} needs {fewest}")
    return Bearing(RUNGS[-1], None)
