"""What was predicted against what happened: on the diagonal, the promise was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas
from reporting.charts.scale import Scale
from reporting.numbers import count, percent

LEFT, FOOT, TOP, RIGHT = 46.0, 44.0, 30.0, 20.0


@dataclass(frozen=True)
class CalibrationBin:
    customers_count: int
    predicted: float
    actual: float


def calibration_curve(width: float, bins: Sequence[CalibrationBin]) -> Canvas:
    """One dot a tenth of the customers, on equal axes from 0 to 1."""
    side = min(width - LEFT - RIGHT, 340.0)
    canvas = Canvas(width, side + TOP + FOOT)
    across, up = Scale(0, 1, LEFT, LEFT + side), Scale(0, 1, TOP + side, TOP)
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.line(across(mark), up(0), across(mark), up(1), "grid")
        canvas.line(across(0), up(mark), across(1), up(mark), "grid")
        canvas.text(across(mark), up(0) + 17, percent(mark), "tick", "middle")
        if mark:
            canvas.text(LEFT - 7, up(mark) + 4, percent(mark), "tick", "end")
    canvas.line(across(0), up(0), across(1), up(1), "dashed")
    canvas.polyline([(across(bin.predicted), up(bin.actual)) for bin in bins], "line-accent")
    for bin in bins:
        tip = f"{count(bin.customers_count)} customers: {percent(bin.predicted)} predicted, {percent(bin.actual)} left"
        canvas.circle(across(bin.predicted), up(bin.actual), 5, "dot-accent", tip)
    canvas.text(across(0.5), canvas.height - 6, "predicted churn probability", "tick", "middle")
    canvas.text(0, 14, "Share that left", "head")
    canvas.text(across(0.06), up(0.94), "more left than predicted", "note")
    canvas.text(across(0.96), up(0.04), "fewer left than predicted", "note", "end")
    return canvas
