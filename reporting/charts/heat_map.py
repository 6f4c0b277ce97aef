"""Rows of cells, darker the higher: who of a month's new customers came back, month after month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from reporting.charts.canvas import Canvas
from reporting.numbers import count, percent

STEPS = 7
HEAD, ROW, LEGEND = 40.0, 22.0, 34.0


@dataclass(frozen=True)
class Cohort:
    """`shares[n]` is the share that ordered in month n + 1 after the first one."""

    label: str
    customers_count: int
    shares: Sequence[float]


def cohort_heat_map(width: float, cohorts: Sequence[Cohort]) -> Canvas:
    """As many of the latest cohorts and months as the width has place for."""
    is_narrow = width < 500
    months = min(12 if is_narrow else 24, max(len(cohort.shares) for cohort in cohorts))
    shown = list(cohorts)[-(13 if is_narrow else 25) :]
    left = 108.0 if is_narrow else 118.0
    cell = min((width - left) / months, 44.0)
    top = max((share for cohort in shown for share in cohort.shares[:months]), default=0.0)
    step = max(ceil(top * 100 / STEPS), 1) / 100
    canvas = Canvas(width, HEAD + ROW * len(shown) + LEGEND)
    canvas.text(0, 14, "First order", "head")
    canvas.text(left, 14, "Ordered again in month" if is_narrow else "Share that ordered again, by months after the first order", "head")
    canvas.text(left - 8, 33, "customers", "tick", "end")
    for month in range(months):
        canvas.text(left + cell * (month + 0.5), 33, str(month + 1), "tick", "middle")
    for number, cohort in enumerate(shown):
        y = HEAD + ROW * number
        canvas.text(0, y + 15, cohort.label, "tick")
        canvas.text(left - 8, y + 15, count(cohort.customers_count), "tick", "end")
        for month, share in enumerate(cohort.shares[:months]):
            level = min(int(share / step + 1e-9), STEPS - 1)
            x = left + cell * month
            tip = f"{cohort.label}: {percent(share, 1)} ordered again in month {month + 1}"
            canvas.rect(x + 0.5, y + 0.5, cell - 1, ROW - 1, f"heat-{level}", tip)
            canvas.text(x + cell / 2, y + 15, f"{share * 100:.0f}", f"cell on-heat-{level}", "middle")
    y = canvas.height - 22
    block = min(52.0, (width - left) / STEPS)
    for level in range(STEPS):
        low = f"{step * level * 100:g}"
        canvas.rect(left + block * level, y, block - 1, 8, f"heat-{level}")
        canvas.text(left + block * level, y + 20, f"{low}{' %+' if level == STEPS - 1 else ''}", "tick")
    return canvas
