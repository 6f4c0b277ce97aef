"""The retention report: two self-contained HTML pages a night, what is and what had been said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from regulars.home import Home
from regulars.run import Kind, step
from regulars.segment import load_segments
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.warehouse import open_warehouse
from reporting.hindsight_page import load_hindsight_page
from reporting.numbers import count
from reporting.page import load_page, render, render_hindsight


def write_report(home: Home, as_of: date, kind: Kind) -> None:
    """Write var/reports/<as_of>.html and make it the latest one, and hindsight-<as_of>.html, from what stands in the warehouse.

    It is written after a red night too; what is missing then says so.
    """
    with step(home, "write report", kind, as_of) as run:
        page, hindsight = report_pages(home, run.settings, as_of)
        home.private_folder(home.reports)
        file = home.reports / f"{as_of}.html"
        _replace(home.reports / f"hindsight-{as_of}.html", hindsight)
        _replace(file, page)
        if file == max(home.reports.glob("[0-9]*.html")):
            _replace(home.reports / "latest.html", page)
        run.summary = f"{file.relative_to(home.path)}, {count(len(page.encode()) / 1024)} kB"


def report_pages(home: Home, settings: HomeSettings, as_of: date) -> tuple[str, str]:
    """The report and the page of hindsight as texts; the same bytes for the same content of the warehouse."""
    catalogue = load_segments(home)
    with open_warehouse(home, role="reader") as warehouse:
        page = load_page(warehouse, settings, catalogue, as_of)
        hindsight = load_hindsight_page(warehouse, State(home.state), catalogue, page.night)
    return render(page, hindsight), render_hindsight(hindsight)


def _replace(file: Path, text: str) -> None:
    aside = file.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(file)
