"""How much of the whole the customers ranked first account for: the further above the diagonal, the better the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas
from reporting.charts.scale import Scale
from reporting.numbers import percent

LEFT, FOOT, TOP, RIGHT, LEGEND_ROW = 46.0, 44.0, 30.0, 20.0, 19.0


@dataclass(frozen=True)
class Gain:
    """Cumulative shares at equal steps of the customers, from nobody to all: 0 first, 1 last."""

    label: str
    shares: Sequence[float]
    css: str


def gain_curve(width: float, gains: Sequence[Gain], whole: str) -> Canvas:
    """One line a ranking; a legend below, the first one on top of the others."""
    side = min(width - LEFT - RIGHT, 340.0)
    canvas = Canvas(width, side + TOP + FOOT + LEGEND_ROW * (len(gains) + 1))
    across, up = Scale(0, 1, LEFT, LEFT + side), Scale(0, 1, TOP + side, TOP)
    canvas.text(0, 14, whole, "head")
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.line(across(mark), up(0), across(mark), up(1), "grid")
        canvas.line(across(0), up(mark), across(1), up(mark), "grid")
        canvas.text(across(mark), up(0) + 17, percent(mark), "tick", "middle")
        if mark:
            canvas.text(LEFT - 7, up(mark) + 4, percent(mark), "tick", "end")
    canvas.line(across(0), up(0), across(1), up(1), "dashed")
    for gain in reversed(gains):
        steps = len(gain.shares) - 1
        canvas.polyline([(across(number / steps), up(share)) for number, share in enumerate(gain.shares)], f"line-{gain.css}")
    for number, share in enumerate(gains[0].shares[1:-1], start=1):
        part = number / (len(gains[0].shares) - 1)
        canvas.circle(across(part), up(share), 4, "dot-accent", f"the first {percent(part)}: {percent(share)}")
    canvas.text(across(0.5), up(0) + 36, "share of the customers, the first ranked first", "tick", "middle")
    y = up(0) + 36
    for label, css in [*((gain.label, f"line-{gain.css}") for gain in gains), ("Drawing lots", "dashed")]:
        y += LEGEND_ROW
        canvas.line(LEFT, y - 4, LEFT + 24, y - 4, css)
        canvas.text(LEFT + 32, y, label, "tick")
    return canvas
