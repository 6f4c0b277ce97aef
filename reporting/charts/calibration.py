"""What was predicted against what happened: on the diagonal, the promise was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.canvas import Canvas
from reporting.charts.shares_plane import shares_plane
from reporting.numbers import count, percent


@dataclass(frozen=True)
class CalibrationBin:
    customers_count: int
    predicted: float
    actual: float


def calibration_curve(width: float, bins: Sequence[CalibrationBin]) -> Canvas:
    """One dot a tenth of the customers, on equal axes from 0 to 1."""
    canvas, across, up = shares_plane(width)
    canvas.polyline([(across(bin.predicted), up(bin.actual)) for bin in bins], "line-accent")
    for bin in bins:
        tip = f"{count(bin.customers_count)} customers: {percent(bin.predicted)} predicted, {percent(bin.actual)} left"
        canvas.circle(across(bin.predicted), up(bin.actual), 5, "dot-accent", tip)
    canvas.text(across(0.5), canvas.height - 6, "predicted churn probability", "tick", "middle")
    canvas.text(0, 14, "Share that left", "head")
    canvas.text(across(0.06), up(0.94), "more left than predicted", "note")
    canvas.text(across(0.96), up(0.04), "fewer left than predicted", "note", "end")
    return canvas
