"""docs/benchmarks.md and its chart, from the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.marked_blocks import replaced
from benchmarks.measurement import OTHERWISE
from benchmarks.result import NightResult, SizeResult
from benchmarks.shop import ROOT
from reporting.charts.canvas import Canvas

PAGE = ROOT / "docs" / "benchmarks.md"
GIB = 2**30
STAGES = {
    "extract, land": ("extract", "land"),
    "staging": ("build staging",),
    "features, gate": ("build features", "check"),
    "scores": ("score", "match"),
    "lists, report": ("plan", "push", "report"),
    "publish": ("publish",),
}
"""Shown together in the chart: the beginnings of the steps' names."""
COLOURS = ("#1f6f8b", "#3f9c8f", "#8fbf5a", "#e0b73c", "#dd8452", "#a9577c", "#b9bec6")
BARE_COLOUR = "#444b54"
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#22272e}.title{font-weight:600}.quiet{fill:#667080}"
    + "".join(f".s{number}{{fill:{colour}}}" for number, colour in enumerate(COLOURS))
    + f".bare{{fill:{BARE_COLOUR}}}.ground{{fill:#fff}}</style>"
)


def write_page(folder: Path, results: Sequence[SizeResult]) -> None:
    """Write the nights of benchmarks.md, and benchmarks.svg. A folder without a page gets our own, with what else it says."""
    page = folder / "benchmarks.md"
    text = (page if page.exists() else PAGE).read_text(encoding="utf-8")
    nights = [_overview(results), *(_by_stage(result) for result in results)]
    page.write_text(replaced(text, "nights", "\n".join(nights)), encoding="utf-8")
    (folder / "benchmarks.svg").write_text(chart(results), encoding="utf-8")


def _overview(results: Sequence[SizeResult]) -> str:
    lines = [
        "| orders | customers | night | seconds | processor | script by hand | processor | ratio | memory | its memory | of cold |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        for name, night, orders in (("cold", result.cold, result.orders), ("ordinary", result.ordinary, result.new_orders)):
            cells = [
                f"{'+' if name == 'ordinary' else ''}{orders:,}",
                f"{night.customers:,}",
                name,
                *(f"{one:,.0f}" for one in (night.night.seconds, night.night.processor_seconds)),
                *(f"{one:,.0f}" for one in (night.bare.seconds, night.bare.processor_seconds)),
                f"{night.ratio:.1f}",
                _gib(night.night.peak_bytes),
                _gib(night.bare.peak_bytes),
                "" if name == "cold" else f"{result.share:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _by_stage(result: SizeResult) -> str:
    lines = [
        f"## {result.orders:,} orders",
        "",
        f"{result.machine}.",
        "",
        "| step | cold, seconds | memory | ordinary, seconds | memory |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step in result.cold.night.step_seconds:
        cells = [f"{_step_seconds(night, step)} | {_step_memory(night, step)}" for night in (result.cold, result.ordinary)]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    others = [
        f"{night.night.seconds - sum(night.night.step_seconds.values()):,.1f} | {_step_memory(night, OTHERWISE)}"
        for night in (result.cold, result.ordinary)
    ]
    lines.append(f"| {OTHERWISE} | {' | '.join(others)} |")
    for step in result.cold.bare.step_seconds:
        lines.append(
            f"| script by hand: {step} | {result.cold.bare.step_seconds[step]:,.1f} | | {result.ordinary.bare.step_seconds[step]:,.1f} | |"
        )
    return "\n".join([*lines, ""])


def _step_seconds(night: NightResult, step: str) -> str:
    seconds = night.night.step_seconds.get(step)
    return "" if seconds is None else f"{seconds:,.1f}"


def _step_memory(night: NightResult, step: str) -> str:
    used = night.night.step_peak_bytes.get(step)
    return "" if used is None else _gib(used)


def _gib(used: int) -> str:
    return f"{used / GIB:.1f} GiB"


def chart(results: Sequence[SizeResult]) -> str:
    """A panel for each size, scaled to its longest bar: cold and ordinary night by stage, each over its script by hand."""
    width, left, right, row, panel = 860.0, 190.0, 70.0, 26.0, 150.0
    canvas = Canvas(width, panel * len(results) + 50)
    canvas.rect(0, 0, canvas.width, canvas.height, "ground")
    names = [*STAGES, "start"]
    for number, name in enumerate(names):
        at = 12 + (number % 7) * 121
        canvas.rect(at, 12, 12, 12, f"s{number}")
        canvas.text(at + 17, 22.5, name)
    for place, result in enumerate(results):
        top = 50 + panel * place
        canvas.text(12, top + 12, f"{result.orders:,} orders", "title")
        longest = max(night.seconds for one in (result.cold, result.ordinary) for night in (one.night, one.bare))
        scale = (width - left - right) / longest
        for bar, (label, one, is_bare) in enumerate(
            (
                ("cold night", result.cold, False),
                ("script by hand", result.cold, True),
                ("ordinary night", result.ordinary, False),
                ("script by hand", result.ordinary, True),
            )
        ):
            y = top + 20 + bar * row + (6 if bar > 1 else 0)
            canvas.text(left - 10, y + 14, label, "quiet" if is_bare else "", anchor="end")
            x = left
            parts = [("bare", one.bare.seconds, label)] if is_bare else _parts(one)
            for css, seconds, tip in parts:
                canvas.rect(x, y + 2, seconds * scale, 16, css, f"{tip}: {seconds:,.1f} s")
                x += seconds * scale
            canvas.text(x + 6, y + 14, f"{(one.bare if is_bare else one.night).seconds:,.0f} s")
    drawing = canvas.svg(
        "benchmarks", "Seconds of a night by stage", "Cold and ordinary nights beside a script by hand, by size of the shop"
    )
    return str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace("<desc", f"{STYLE}<desc", 1)


def _parts(night: NightResult) -> list[tuple[str, float, str]]:
    steps = night.night.step_seconds
    parts = [
        (f"s{number}", sum(seconds for step, seconds in steps.items() if step.startswith(begins)), name)
        for number, (name, begins) in enumerate(STAGES.items())
    ]
    return [*parts, (f"s{len(STAGES)}", max(night.night.seconds - sum(steps.values()), 0.0), OTHERWISE)]
