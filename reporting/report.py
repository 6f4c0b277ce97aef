"""The retention report: one self-contained HTML page a night."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from regulars.home import Home
from regulars.run import Kind, step
from regulars.segment import load_segments
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from reporting.numbers import count
from reporting.page import load_page, render


def write_report(home: Home, as_of: date, kind: Kind) -> None:
    """Write var/reports/<as_of>.html and make it the latest one, from what stands in the warehouse.

    It is written after a red night too; what is missing then says so.
    """
    with step(home, "write report", kind, as_of) as run:
        page = report_html(home, run.settings, as_of)
        home.private_folder(home.reports)
        file = home.reports / f"{as_of}.html"
        _replace(file, page)
        if file == max(home.reports.glob("[0-9]*.html")):
            _replace(home.reports / "latest.html", page)
        run.summary = f"{file.relative_to(home.path)}, {count(len(page.encode()) / 1024)} kB"


def report_html(home: Home, settings: HomeSettings, as_of: date) -> str:
    """The page as text; the same bytes for the same content of the warehouse."""
    catalogue = load_segments(home)
    with open_warehouse(home, role="reader") as warehouse:
        return render(load_page(warehouse, settings, catalogue, as_of))


def _replace(file: Path, text: str) -> None:
    aside = file.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(file)
