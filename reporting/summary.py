"""The night on a terminal: a short table of the segments, and where to look further."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from regulars.home import Home
from regulars.run import is_past
from regulars.segment import load_segments
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.warehouse import open_warehouse
from reporting.numbers import Money, change, count, long_date
from reporting.segments import SegmentFigures, load_segment_figures
from reporting.sending import Sync, last_push_changed_nothing, load_syncs

HEADERS = ("Segment", "Customers", "Expected value", "Value at risk", "Entered", "Left")
GAP = "   "


def summary_lines(home: Home, as_of: date) -> list[str]:
    """At most 100 characters a line: segment, customers, expected value, value at risk, entered, left, and the paths.

    Entered and left count the whole night, over all attempts to send it; a repeated night says that it changed nothing.
    """
    shop = HomeSettings(home).shop
    if is_past(home, as_of):
        return _past_lines(home, as_of, f"{shop.name}, {long_date(as_of)}")
    catalogue = load_segments(home)
    with open_warehouse(home, role="reader") as warehouse:
        segments = load_segment_figures(warehouse, catalogue, as_of, before=None)
        syncs = load_syncs(warehouse, as_of)
    lines = [f"{shop.name}, {long_date(as_of)}", ""]
    lines += _table(HEADERS, [_row(segment, syncs, Money(shop.currency)) for segment in segments])
    lines.append("")
    if not syncs:
        lines.append("Nothing was sent on this night.")
    elif last_push_changed_nothing(State(home.state), as_of):
        lines.append("Nothing changed: the lists already stood as this night wants them, and nothing was sent twice.")
    folders = (home.lists / as_of.isoformat(), home.lists)
    lines.append(f"Lists   {_shown(next((folder for folder in folders if folder.exists()), home.lists))}")
    lines.append(f"Report  {_shown(home.reports / f'{as_of}.html')}")
    return lines


def _past_lines(home: Home, as_of: date, headline: str) -> list[str]:
    """A past night: what its rebuilt lists hold."""
    folder = home.rebuilds / as_of.isoformat()
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return [headline, "", "This night is past, and its lists have not been rebuilt."]
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"].values()
    rows = [(_short(entry["title"]), count(entry["customers"])) for entry in files]
    return [headline, "", *_table(HEADERS[:2], rows), "", "Rebuilt; nothing was sent.", f"Lists   {_shown(folder)}"]


def _short(title: str) -> str:
    return title if len(title) <= 34 else title[:33] + "…"


def _row(segment: SegmentFigures, syncs: Sequence[Sync], money: Money) -> tuple[str, ...]:
    changes = [(sync.entered_count, sync.left_count) for sync in syncs if sync.segment == segment.name]
    # Destinations that hold the same list change by the same customers; one that lags behind changes by more.
    entered, left = (max(numbers) for numbers in zip(*changes, strict=True)) if changes else (None, None)
    return (
        _short(segment.title),
        count(segment.customers_count),
        money.full(round(segment.expected_value)),
        money.full(round(segment.value_at_risk)),
        "–" if entered is None else change(entered),
        "–" if left is None else change(-left),
    )


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        return GAP.join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]).rstrip()

    return [line(headers), GAP.join("─" * width for width in widths), *(line(row) for row in rows)]


def _shown(path: Path) -> str:
    """Relative to where the command was given, when it lies below."""
    try:
        return f"{path.relative_to(Path.cwd())}"
    except ValueError:
        return str(path)
