"""A chart as it stands on the page: a finding, the drawing for wide and narrow screens, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reporting.charts.canvas import Canvas

FULL = 920
HALF = 440
NARROW = 342
"""Widths in pixels: of the page, of one of two charts side by side, and of a telephone."""


@dataclass(frozen=True)
class DataTable:
    """Rows of text; the first `labels_count` columns are labels, the others numbers."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels_count: int = 1


@dataclass(frozen=True)
class Figure:
    key: str
    title: str
    note: str
    wide: Markup
    narrow: Markup
    table: DataTable


@dataclass(frozen=True)
class Absent:
    """A chart that cannot be drawn, and why in one sentence."""

    title: str
    why: str


def figure(key: str, title: str, note: str, draw: Callable[[float], Canvas], table: DataTable, width: int = HALF) -> Figure:
    """Draw a chart for both widths; `title` says what is to be seen, `note` how to read it."""
    wide = draw(width).svg(f"{key}-wide", title, f"{note} The numbers stand in the table below the chart.")
    narrow = draw(NARROW).svg(f"{key}-narrow", title, f"{note} The numbers stand in the table below the chart.")
    return Figure(key, title, note, wide, narrow, table)
