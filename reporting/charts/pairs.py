"""What was said beside what happened: two bars a row, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.charts.bars import STACKED_BELOW
from reporting.charts.canvas import Canvas, text_width
from reporting.charts.scale import Scale

HEAD, THICKNESS, BETWEEN = 30.0, 13.0, 12.0
SAID, HAPPENED = "fill-soft", "fill-accent"


@dataclass(frozen=True)
class Pair:
    """The texts stand at the ends of the bars."""

    label: str
    said: float
    happened: float
    said_text: str
    happened_text: str


def said_and_happened(width: float, pairs: Sequence[Pair]) -> Canvas:
    """Bars from zero, the longest as wide as the place allows. A value below zero is drawn as none; its text tells it."""
    is_stacked = width < STACKED_BELOW
    label_row = 19.0 if is_stacked else 0.0
    row = label_row + 2 * THICKNESS + 1 + BETWEEN
    canvas = Canvas(width, HEAD + row * len(pairs))
    left = 0.0 if is_stacked else min(max(text_width(pair.label) for pair in pairs) + 12, width * 0.42)
    right = max(text_width(text) for pair in pairs for text in (pair.said_text, pair.happened_text)) + 10
    scale = Scale(0, max(*(max(pair.said, pair.happened) for pair in pairs), 1e-12), left, width - right)
    place = left
    for css, text in ((SAID, "said"), (HAPPENED, "happened")):
        canvas.rect(place, 4, 11, 11, css)
        canvas.text(place + 16, 14, text, "tick")
        place += text_width(text, 12) + 36
    for number, pair in enumerate(pairs):
        top = HEAD + row * number
        if is_stacked:
            canvas.text(0, top + 13, pair.label)
        else:
            canvas.text(left - 10, top + THICKNESS + 5, pair.label, anchor="end")
        bars = ((SAID, "said", pair.said, pair.said_text), (HAPPENED, "happened", pair.happened, pair.happened_text))
        for below, (css, word, value, text) in enumerate(bars):
            y = top + label_row + below * (THICKNESS + 1)
            end = scale(max(value, 0))
            canvas.rect(left, y, max(end - left, 1.0 if value > 0 else 0.0), THICKNESS, css, f"{pair.label}: {text} {word}")
            canvas.text(end + 6, y + THICKNESS - 2, text, "tick" if css == SAID else "value")
    if not is_stacked:
        canvas.line(left, HEAD - 4, left, canvas.height - 8, "axis")
    return canvas
