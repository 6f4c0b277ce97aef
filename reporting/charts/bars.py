"""Horizontal bars with their labels beside them; on a narrow page the labels stand above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale

STACKED_BELOW = 400


@dataclass(frozen=True)
class Bar:
    """`text` stands at the bar's end; `css` is its colour class."""

    label: str
    value: float
    text: str
    css: str = "fill-accent"
    tip: str = ""


def horizontal_bars(width: float, bars: Sequence[Bar], high: float | None = None) -> Canvas:
    """Bars from zero, the longest as wide as the place allows. A value below zero is drawn as none; its text tells it."""
    stacked = width < STACKED_BELOW
    row, thickness = (44.0, 14.0) if stacked else (30.0, 16.0)
    canvas = Canvas(width, row * len(bars) + 4)
    left = 0.0 if stacked else min(max(text_width(bar.label) for bar in bars) + 12, width * 0.42)
    right = max(text_width(bar.text) for bar in bars) + 10
    scale = Scale(0, max(high or max(bar.value for bar in bars), 1e-12), left, width - right)
    for number, bar in enumerate(bars):
        top = row * number
        if stacked:
            canvas.text(0, top + 16, bar.label)
            y = top + 22
        else:
            canvas.text(left - 10, top + row / 2 + 4.5, bar.label, anchor="end")
            y = top + (row - thickness) / 2
        end = scale(max(bar.value, 0))
        canvas.rect(left, y, max(end - left, 1.0 if bar.value > 0 else 0.0), thickness, bar.css, bar.tip)
        canvas.text(end + 6, y + thickness / 2 + 4.5, bar.text, "value")
    if not stacked:
        canvas.line(left, 0, left, canvas.height - 2, "axis")
    return canvas
