"""Two panels with the same rows: how long each list is, and who came and went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.bars import STACKED_BELOW, Bar, horizontal_bars
from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale
from reporting.numbers import change, count

ROW = 30.0
HEAD = 26.0
THICKNESS = 16.0
PANEL_GAP = 40.0


@dataclass(frozen=True)
class ListMovement:
    label: str
    size: int
    entered: int
    left: int


def sizes_and_movement(width: float, rows: Sequence[ListMovement], has_movement: bool) -> Canvas:
    """Sizes as bars from zero; entries to the right and leavers to the left of a second zero, on one scale for all rows.

    `has_movement` is false on a first night: then there is nothing to compare with, and sizes stand alone.
    """
    if width < STACKED_BELOW or not has_movement:
        return horizontal_bars(width, [Bar(row.label, row.size, _in_words(row) if has_movement else count(row.size)) for row in rows])
    canvas = Canvas(width, HEAD + ROW * len(rows) + 4)
    label_end = max(text_width(row.label) for row in rows) + 12
    size_text = max(text_width(count(row.size)) for row in rows) + 10
    sizes = Scale(0, max(1, *(row.size for row in rows)), label_end, label_end + (width - label_end) * 0.5 - size_text)
    most_left = max(row.left for row in rows)
    most_entered = max(1, *(row.entered for row in rows))
    start = sizes.end + size_text + PANEL_GAP + text_width(f"−{count(most_left)}")
    moves = Scale(-most_left, most_entered, start, width - text_width(f"+{count(most_entered)}") - 8)
    zero = moves(0)
    canvas.text(label_end, 14, "On the list", "head")
    if most_left:
        canvas.text(zero - 8, 14, "Left", "head", "end")
    canvas.text(zero + 8, 14, "Entered", "head")
    for number, row in enumerate(rows):
        top = HEAD + ROW * number + (ROW - THICKNESS) / 2
        base = top + THICKNESS / 2 + 4.5
        canvas.text(label_end - 10, base, row.label, anchor="end")
        canvas.rect(label_end, top, sizes(row.size) - label_end, THICKNESS, "fill-accent", f"{row.label}: {count(row.size)}")
        canvas.text(sizes(row.size) + 6, base, count(row.size), "value")
        canvas.rect(zero, top, moves(row.entered) - zero, THICKNESS, "fill-accent", f"{row.label}: {count(row.entered)} entered")
        canvas.text(moves(row.entered) + 6, base, change(row.entered), "value")
        if row.left:
            canvas.rect(moves(-row.left), top, zero - moves(-row.left), THICKNESS, "fill-warm", f"{row.label}: {count(row.left)} left")
            canvas.text(moves(-row.left) - 6, base, change(-row.left), "value", "end")
    canvas.line(label_end, HEAD, label_end, canvas.height - 2, "axis")
    canvas.line(zero, HEAD, zero, canvas.height - 2, "axis")
    return canvas


def _in_words(row: ListMovement) -> str:
    return f"{count(row.size)} ({change(row.entered)}, {change(-row.left)})"
