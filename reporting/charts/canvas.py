"""An SVG drawing under construction."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

CHARACTER_WIDTH = 0.6
"""Mean width of a character in font sizes, to keep labels apart without measuring them."""


def text_width(text: str, size: float = 13.0) -> float:
    """Estimated width of a label in pixels."""
    return len(text) * size * CHARACTER_WIDTH


class Canvas:
    """Shapes are told by CSS class how they look; `tip` shows when a pointer rests on them."""

    def __init__(self, width: float, height: float):
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, css: str, tip: str = "") -> None:
        size = f'width="{_n(max(width, 0))}" height="{_n(max(height, 0))}"'
        self._parts.append(f'<rect x="{_n(x)}" y="{_n(y)}" {size} class="{css}">{_tip(tip)}</rect>')

    def circle(self, x: float, y: float, radius: float, css: str, tip: str = "") -> None:
        self._parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{css}">{_tip(tip)}</circle>')

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self._parts.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{css}"/>')

    def polyline(self, points: Sequence[tuple[float, float]], css: str) -> None:
        self._parts.append(f'<polyline points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}" class="{css}"/>')

    def polygon(self, points: Sequence[tuple[float, float]], css: str) -> None:
        self._parts.append(f'<polygon points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}" class="{css}"/>')

    def text(self, x: float, y: float, content: str, css: str = "label", anchor: str = "start") -> None:
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}" class="{css}" text-anchor="{anchor}">{escape(content)}</text>')

    def svg(self, key: str, title: str, description: str) -> Markup:
        """The drawing as an element that a screen reader announces by its title and description."""
        return Markup(  # noqa: S704 - every text in it has been escaped
            f'<svg viewBox="0 0 {_n(self.width)} {_n(self.height)}" width="{_n(self.width)}" height="{_n(self.height)}" role="img" '
            f'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{escape(title)}</title>'
            f'<desc id="{key}-desc">{escape(description)}</desc>{"".join(self._parts)}</svg>'
        )


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _n(number: float) -> str:
    """A coordinate with one decimal at most, and without a negative zero."""
    return f"{round(number, 1) + 0.0:.1f}".removesuffix(".0")
