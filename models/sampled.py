"""Customers drawn by a hash: the same ones wherever they are drawn, on every engine."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 16**6


@dataclass(frozen=True)
class Sample:
    """The customers whose id's hash begins below so many of `STEPS`."""

    steps: int = STEPS

    @property
    def condition(self) -> str:
        """On customer_id."""
        return "1 = 1" if self.steps >= STEPS else f"substr(md5(customer_id), 1, 6) < '{self.steps:06x}'"

    def at_most(self, most: int, count: int) -> Sample:
        """As many of them as make about `most`, when `count` customers are drawn by this one."""
        return self if count <= most else Sample(int(self.steps * most / count))


EVERYONE = Sample()
