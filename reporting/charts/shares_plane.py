"""Equal axes from 0 to 1 with their diagonal: where both axes are shares."""

from __future__ import annotations

from reporting.charts.canvas import Canvas
from reporting.charts.scale import Scale
from reporting.numbers import percent

LEFT, FOOT, TOP = 46.0, 44.0, 30.0
RIGHT, LONGEST_SIDE = 20.0, 340.0


def shares_plane(width: float, below: float = 0.0) -> tuple[Canvas, Scale, Scale]:
    """An empty plane with room of height `below` under its foot, and its scales: across and up."""
    side = min(width - LEFT - RIGHT, LONGEST_SIDE)
    canvas = Canvas(width, side + TOP + FOOT + below)
    across, up = Scale(0, 1, LEFT, LEFT + side), Scale(0, 1, TOP + side, TOP)
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.line(across(mark), up(0), across(mark), up(1), "grid")
        canvas.line(across(0), up(mark), across(1), up(mark), "grid")
        canvas.text(across(mark), up(0) + 17, percent(mark), "tick", "middle")
        if mark:
            canvas.text(LEFT - 7, up(mark) + 4, percent(mark), "tick", "end")
    canvas.line(across(0), up(0), across(1), up(1), "dashed")
    return canvas, across, up
