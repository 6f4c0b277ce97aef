"""Figures date by date: lines, dots with their intervals, and the limits that they should keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale
from reporting.numbers import short_date

HEAD, FOOT, LEGEND_ROW = 28.0, 26.0, 19.0
BETWEEN_LABELS = 14.0


@dataclass(frozen=True)
class Point:
    day: date
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """`css` names a colour; dots stand alone, a line joins its points."""

    label: str
    points: Sequence[Point]
    css: str = "accent"
    is_line: bool = True


def timeline(
    width: float,
    series: Sequence[Series],
    title: str,
    text: Callable[[float], str],
    *,
    limits: Sequence[tuple[float, str]] = (),
    low: float = 0.0,
    high: float | None = None,
    height: float = 210.0,
) -> Canvas:
    """All series on one scale from `low`, which reaches as far up as they and the limits do."""
    canvas = Canvas(width, height + LEGEND_ROW * len(series))
    values = [end for one in series for point in one.points for end in (point.value, point.high or point.value)]
    top = high or max(*values, *(limit for limit, _ in limits), low + 1e-9) * 1.04
    days = sorted({point.day for one in series for point in one.points})
    left = max(text_width(text(mark), 12) for mark in (low, top)) + 8
    first, last = days[0].toordinal(), max(days[-1].toordinal(), days[0].toordinal() + 1)
    across, up = Scale(first, last, left + 8, width - 12), Scale(low, top, height - FOOT, HEAD)
    canvas.text(0, 13, title, "head")
    for mark in (low, (low + top) / 2, top):
        canvas.line(left, up(mark), width, up(mark), "axis" if mark == low else "grid")
        canvas.text(left - 8, up(mark) + 4, text(mark), "tick", "end")
    labelled: list[float] = []
    for limit, label in sorted(limits, reverse=True):
        canvas.line(left, up(limit), width, up(limit), "dashed")
        if all(abs(up(limit) - other) >= BETWEEN_LABELS for other in labelled):
            canvas.text(width - 4, up(limit) - 5, label, "note", "end")
            labelled.append(up(limit))
    for number, one in enumerate(series):
        y = height + LEGEND_ROW * number + 10
        if one.is_line and len(one.points) > 1:
            canvas.polyline([(across(point.day.toordinal()), up(min(point.value, top))) for point in one.points], f"line-{one.css}")
        for point in one.points:
            x = across(point.day.toordinal())
            if point.low is not None and point.high is not None:
                canvas.line(x, up(max(point.low, low)), x, up(min(point.high, top)), f"line-{one.css}")
            canvas.circle(x, up(min(max(point.value, low), top)), 3.5, f"dot-{one.css}", f"{short_date(point.day)}: {text(point.value)}")
        if one.is_line:
            canvas.line(left, y - 4, left + 24, y - 4, f"line-{one.css}")
        else:
            canvas.circle(left + 12, y - 4, 4, f"dot-{one.css}")
        canvas.text(left + 32, y, one.label, "tick")
    canvas.text(left, height - 6, short_date(days[0]), "tick")
    if len(days) > 1:
        canvas.text(width - 4, height - 6, short_date(days[-1]), "tick", "end")
    return canvas
