"""One quantity week by week."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale, ticks
from reporting.numbers import short_date

TOP, FOOT = 44.0, 26.0


def weekly_area(width: float, height: float, first_day: date, values: Sequence[float], title: str, text: Callable[[float], str]) -> Canvas:
    """A line over its area; the highest and the last week are named.

    Args:
        first_day: first day of the first week; the weeks follow without a gap.
    """
    canvas = Canvas(width, height)
    marks = ticks(max(values))
    last_text = text(values[-1])
    left = max(text_width(text(mark), 12) for mark in marks) + 8
    right = width - text_width(last_text) - 12
    across = Scale(0, max(len(values) - 1, 1), left, right)
    up = Scale(0, max([*values, 1e-12]), height - FOOT, TOP)
    canvas.text(0, 13, title, "head")
    for mark in marks[1:]:
        canvas.line(left, up(mark), right, up(mark), "grid")
        canvas.text(left - 8, up(mark) + 4, text(mark), "tick", "end")
    points = [(across(number), up(value)) for number, value in enumerate(values)]
    canvas.polygon([(points[0][0], up(0)), *points, (points[-1][0], up(0))], "area-accent")
    canvas.polyline(points, "line-accent")
    canvas.line(left, up(0), right, up(0), "axis")
    _quarters(canvas, first_day, len(values), across, up(0))
    highest = max(range(len(values)), key=lambda number: values[number])
    if len(values) - highest > 6:
        x = min(max(points[highest][0], left + 40), right - 40)
        canvas.circle(*points[highest], 3, "dot-accent")
        canvas.text(x, points[highest][1] - 8, text(values[highest]), "value", "middle")
    canvas.circle(*points[-1], 4, "dot-accent", f"week from {short_date(first_day + timedelta(weeks=len(values) - 1))}: {last_text}")
    canvas.text(points[-1][0] + 8, points[-1][1] + 4.5, last_text, "value")
    return canvas


def _quarters(canvas: Canvas, first_day: date, weeks: int, across: Scale, base: float) -> None:
    """Ticks at the first of every quarter, or half-year where they would touch; the year stands at its first one."""
    last_day = first_day + timedelta(weeks=weeks - 1)
    starts = [
        date(year, month, 1)
        for year in range(first_day.year, last_day.year + 1)
        for month in (1, 4, 7, 10)
        if first_day <= date(year, month, 1) <= last_day
    ]
    if starts and (across.end - across.start) / len(starts) < 62:
        starts = [day for day in starts if day.month in (1, 7)]
    for number, day in enumerate(starts):
        x = across((day - first_day).days / 7)
        canvas.line(x, base, x, base + 5, "axis")
        is_named = number == 0 or day.month == 1
        canvas.text(x, base + 19, f"{day:%b %Y}" if is_named else f"{day:%b}", "tick", "middle" if x > 30 else "start")
