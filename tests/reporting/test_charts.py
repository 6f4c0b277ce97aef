"""Charts as drawings: well-formed, inside their frame, true to their values, and without touching labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts.bars import Bar, horizontal_bars
from reporting.charts.calibration import CalibrationBin, calibration_curve
from reporting.charts.canvas import Canvas, text_width
from reporting.charts.columns import ColumnChart
from reporting.charts.gain import Gain, gain_curve
from reporting.charts.heat_map import STEPS, Cohort, cohort_heat_map
from reporting.charts.movement import ListMovement, sizes_and_movement
from reporting.charts.pairs import Pair, said_and_happened
from reporting.charts.scale import Scale, ticks
from reporting.charts.timeline import Point, Series, timeline
from reporting.charts.weeks import weekly_area
from reporting.figure import FULL, HALF, NARROW
from reporting.numbers import Money, count, percent

SVG = "{http://www.w3.org/2000/svg}"
PAIRS = [Pair("Highest-value third", 1_200.0, 900.0, "€1,200", "€900"), Pair("Nobody", 0.0, 0.0, "€0", "€0")]
RATIOS = [Point(date(2025, 1, day), 0.5 + day / 20, 0.4, 1.9) for day in (1, 8, 15)]
LISTS = [
    ListMovement("At risk and valuable", 1_015, 55, 40),
    ListMovement("Dormant", 64_990, 3_551, 2_560),
    ListMovement("Nobody", 0, 0, 0),
]

DRAWINGS: dict[str, Callable[[float], Canvas]] = {
    "bars": lambda width: horizontal_bars(width, [Bar("Loyal customers", 83_200, "€83.2k (31 %)"), Bar("Dormant", 0, "€0 (–)")]),
    "movement": lambda width: sizes_and_movement(width, LISTS, has_movement=True),
    "first night": lambda width: sizes_and_movement(width, LISTS, has_movement=False),
    "distribution": ColumnChart([3, 900, 12_010], edges=[(0, "0 %"), (1, "100 %")], base_title="probability", tick_text=count).draw,
    "tenths": ColumnChart([0.5, *[0.05] * 9], edges=[(0, "most")], base_title="tenths", tops=[percent(0.5)] + [percent(0.05)] * 9).draw,
    "calibration": lambda width: calibration_curve(width, [CalibrationBin(240, 0.1, 0.12), CalibrationBin(241, 1.0, 0.0)]),
    "weeks": lambda width: weekly_area(width, 210, date(2023, 7, 4), [float(n % 50) for n in range(104)], "Orders", count),
    "one week": lambda width: weekly_area(width, 210, date(2023, 7, 4), [12.0], "Revenue", Money("EUR").short),
    "no orders": lambda width: weekly_area(width, 210, date(2023, 7, 4), [0.0] * 9, "Revenue", Money("EUR").short),
    "pairs": lambda width: said_and_happened(width, PAIRS),
    "gain": lambda width: gain_curve(width, [Gain("Our model", [0, 0.7, 1], "accent"), Gain("Formula", [0, 0.6, 1], "soft")], "Revenue"),
    "timeline": lambda width: timeline(
        width, [Series("orders", RATIOS, is_line=False)], "Happened for each said", lambda n: f"{n:.1f}", limits=[(1.25, "limit")]
    ),
    "one date": lambda width: timeline(width, [Series("said", RATIOS[:1]), Series("happened", RATIOS[:1], "soft")], "Left", percent),
    "cohorts": lambda width: cohort_heat_map(width, [Cohort("Mar 2024", 1_204, [0.4] * n) for n in range(30, 0, -1)]),
}


def parsed(canvas: Canvas) -> ElementTree.Element:
    markup = str(canvas.svg("key", "A <title>", "A description"))
    return ElementTree.fromstring(markup.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314


@pytest.mark.parametrize("width", [FULL, HALF, NARROW])
@pytest.mark.parametrize("name", DRAWINGS)
def test_every_drawing_is_well_formed_titled_and_stays_in_its_frame(name: str, width: int) -> None:
    canvas = DRAWINGS[name](width)
    svg = parsed(canvas)
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "key-title key-desc"
    assert svg.find(f"{SVG}title").text == "A <title>"  # type: ignore[union-attr]
    for rect in svg.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(name) or "nan") for name in ("x", "y", "width", "height"))
        assert -0.1 <= x <= x + wide <= canvas.width + 0.1
        assert -0.1 <= y <= y + high <= canvas.height + 0.1
    for text in svg.iter(f"{SVG}text"):
        start, end = extent(text)
        assert start >= -8, f"{text.text} starts at {start}"
        assert end <= canvas.width + 8, f"{text.text} ends at {end} of {canvas.width}"
        assert 0 < float(text.get("y") or "nan") <= canvas.height


@pytest.mark.parametrize("width", [FULL, HALF, NARROW])
@pytest.mark.parametrize("name", DRAWINGS)
def test_labels_on_one_line_do_not_touch(name: str, width: int) -> None:
    by_line: dict[str, list[tuple[float, float, str]]] = {}
    for text in parsed(DRAWINGS[name](width)).iter(f"{SVG}text"):
        by_line.setdefault(text.get("y") or "", []).append((*extent(text), text.text or ""))
    for line in by_line.values():
        ordered = sorted(line)
        for (_, end, left), (start, _, right) in pairwise(ordered):
            assert end <= start + 6, f"{left!r} runs into {right!r}"


def extent(text: ElementTree.Element) -> tuple[float, float]:
    """Where a label starts and ends, by a narrower estimate than the one that the charts leave room by."""
    size = {"tick": 12.0, "note": 12.0}.get(text.get("class") or "", 11.0 if "cell" in (text.get("class") or "") else 13.0)
    wide, x = text_width(text.text or "", size) * 0.9, float(text.get("x") or "nan")
    start = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.get("text-anchor") or "start"]
    return start, start + wide


def test_bars_are_as_long_as_their_values() -> None:
    svg = parsed(horizontal_bars(HALF, [Bar("a", 10, "10"), Bar("b", 5, "5"), Bar("c", -3, "−3")]))
    full, half, none = (float(rect.get("width") or "nan") for rect in svg.iter(f"{SVG}rect"))
    assert half == pytest.approx(full / 2, abs=0.1)
    assert none == 0


def test_columns_are_as_high_as_their_values() -> None:
    svg = parsed(ColumnChart([1, 4, 2], edges=[], base_title="", tick_text=count).draw(HALF))
    low, high, middle = (float(rect.get("height") or "nan") for rect in svg.iter(f"{SVG}rect"))
    assert (low, middle) == (pytest.approx(high / 4, abs=0.1), pytest.approx(high / 2, abs=0.1))


def test_movement_is_drawn_on_one_scale_to_both_sides() -> None:
    svg = parsed(sizes_and_movement(FULL, [ListMovement("a", 100, 40, 20)], has_movement=True))
    widths = {rect.get("class"): float(rect.get("width") or "nan") for rect in list(svg.iter(f"{SVG}rect"))[1:]}
    assert widths["fill-warm"] == pytest.approx(widths["fill-accent"] / 2, abs=0.1)


def test_a_perfect_promise_lies_on_the_diagonal() -> None:
    svg = parsed(calibration_curve(HALF, [CalibrationBin(10, share, share) for share in (0.1, 0.5, 0.9)]))
    dashed = next(line for line in svg.iter(f"{SVG}line") if line.get("class") == "dashed")
    x1, y1, x2, y2 = (float(dashed.get(name) or "nan") for name in ("x1", "y1", "x2", "y2"))
    for dot in svg.iter(f"{SVG}circle"):
        x, y = float(dot.get("cx") or "nan"), float(dot.get("cy") or "nan")
        assert (y - y1) / (y2 - y1) == pytest.approx((x - x1) / (x2 - x1), abs=0.001)


def test_what_was_said_and_what_happened_stand_on_one_scale() -> None:
    _, _, *bars = parsed(said_and_happened(HALF, PAIRS)).iter(f"{SVG}rect")
    said, happened, *nothing = (float(bar.get("width") or "nan") for bar in bars)
    assert happened == pytest.approx(said * 0.75, abs=0.1)
    assert nothing == [0, 0]


def test_a_gain_begins_at_nobody_and_ends_at_all() -> None:
    line, *_ = parsed(gain_curve(HALF, [Gain("ours", [0, 0.5, 1], "accent")], "Revenue")).iter(f"{SVG}polyline")
    (x1, y1), (x2, y2), (x3, y3) = ([float(part) for part in point.split(",")] for point in (line.get("points") or "").split())
    assert (x2, y2) == (pytest.approx((x1 + x3) / 2, abs=0.1), pytest.approx((y1 + y3) / 2, abs=0.1)), "drawing lots is the diagonal"


def test_an_interval_is_drawn_about_its_dot_and_limits_where_they_lie() -> None:
    svg = parsed(timeline(HALF, [Series("ratio", RATIOS, is_line=False)], "Ratio", str, limits=[(1.0, "even")]))
    limit = next(line for line in svg.iter(f"{SVG}line") if line.get("class") == "dashed")
    dots = [float(dot.get("cy") or "nan") for dot in svg.iter(f"{SVG}circle")][:3]
    assert dots[0] > float(limit.get("y1") or "nan") > dots[2]
    for line in (line for line in svg.iter(f"{SVG}line") if line.get("class") == "line-accent"):
        low, high = float(line.get("y1") or "nan"), float(line.get("y2") or "nan")
        assert all(high <= dot <= low for dot in dots)


def test_heat_grows_with_the_share() -> None:
    svg = parsed(cohort_heat_map(FULL, [Cohort("Mar 2024", 100, [0.0, 0.1, 0.2, 0.35])]))
    levels = [int((rect.get("class") or "").removeprefix("heat-")) for rect in list(svg.iter(f"{SVG}rect"))[:4]]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert levels[-1] == STEPS - 1


def test_texts_are_escaped() -> None:
    markup = str(horizontal_bars(HALF, [Bar("<script>", 1, "&", tip='"><script>')]).svg("k", "</svg>", "&"))
    assert "<script" not in markup
    assert markup.count("</svg>") == 1


@given(st.floats(0.001, 1e12))
def test_ticks_are_few_round_and_below_the_highest_value(high: float) -> None:
    marks = ticks(high)
    assert 3 <= len(marks) <= 5
    assert marks[0] == 0
    assert marks[-1] <= high * (1 + 1e-6)
    assert all(re.fullmatch(r"(1|2|5|25)0*", re.sub(r"[.,]", "", f"{marks[1]:.10f}").strip("0") or "1") for _ in marks[:1])


def test_a_scale_without_extent_stays_at_its_start() -> None:
    assert Scale(3, 3, 10, 20)(3) == 10
    assert ticks(0) == [0.0]
