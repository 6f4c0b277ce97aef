"""Vertical columns: a distribution, or shares of a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale, ticks

TOP = 22.0
FOOT = 40.0


@dataclass(frozen=True)
class ColumnChart:
    """Columns side by side.

    Args:
        values: heights.
        tops: text over each column, instead of a vertical axis.
        edges: (position between 0 and 1 along the base, text) under the columns.
        base_title: what the horizontal axis shows.
        highlighted: columns in the second colour.
        tick_text: how the vertical axis writes its numbers; None leaves it out.
    """

    values: Sequence[float]
    edges: Sequence[tuple[float, str]]
    base_title: str
    tops: Sequence[str] = ()
    highlighted: frozenset[int] = frozenset()
    tips: Sequence[str] = ()
    tick_text: Callable[[float], str] | None = None
    height: float = 260.0

    def draw(self, width: float) -> Canvas:
        canvas = Canvas(width, self.height)
        marks = ticks(max(self.values)) if self.tick_text else []
        left = max(text_width(self.tick_text(mark), 12) for mark in marks) + 8 if self.tick_text else 0.0
        across = Scale(0, len(self.values), left, width)
        up = Scale(0, max([*self.values, 1e-12]), self.height - FOOT, TOP)
        if self.tick_text:
            for mark in marks[1:]:
                canvas.line(left, up(mark), width, up(mark), "grid")
                canvas.text(left - 8, up(mark) + 4, self.tick_text(mark), "tick", "end")
        gap = 2.0 if len(self.values) > 12 else 6.0
        for number, value in enumerate(self.values):
            css = "fill-warm" if number in self.highlighted else "fill-accent"
            x, y = across(number) + gap / 2, up(value)
            canvas.rect(x, y, across(number + 1) - across(number) - gap, up(0) - y, css, self.tips[number] if self.tips else "")
            if self.tops:
                canvas.text((across(number) + across(number + 1)) / 2, y - 6, self.tops[number], "value", "middle")
        canvas.line(left, up(0), width, up(0), "axis")
        for position, text in self.edges:
            anchor = "start" if position == 0 else "end" if position == 1 else "middle"
            canvas.text(left + position * (width - left), self.height - FOOT + 17, text, "tick", anchor)
        canvas.text(left + (width - left) / 2, self.height - 6, self.base_title, "tick", "middle")
        return canvas
