"""From values to pixels, with ticks at round numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10


@dataclass(frozen=True)
class Scale:
    """Linear from [low, high] in the data to [start, end] in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return self.start
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(high: float) -> list[float]:
    """Two or three round numbers up to `high` at equal steps, after 0; only 0 where nothing is above it."""
    if high <= 0:
        return [0.0]
    size = 10.0 ** floor(log10(high / 2))
    step = max(size * factor for factor in (1, 2, 2.5, 5) if size * factor <= high / 2 * (1 + 1e-9))
    return [round(step * number, 10) for number in range(floor(high / step + 1e-9) + 1)]
