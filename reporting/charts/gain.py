"""How much of the whole the customers ranked first account for: the further above the diagonal, the better the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas
from reporting.charts.shares_plane import LEFT, shares_plane
from reporting.numbers import percent

LEGEND_ROW = 19.0


@dataclass(frozen=True)
class Gain:
    """Cumulative shares at equal steps of the customers, from nobody to all: 0 first, 1 last."""

    label: str
    shares: Sequence[float]
    css: str


def gain_curve(width: float, gains: Sequence[Gain], whole: str) -> Canvas:
    """One line a ranking; a legend below, the first one on top of the others."""
    canvas, across, up = shares_plane(width, LEGEND_ROW * (len(gains) + 1))
    canvas.text(0, 14, whole, "head")
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
