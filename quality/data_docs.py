"""The data docs: one self-contained page a night with what each gate expected and saw. Figures about tables, no data of persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from quality.baseline import last_passed_night
from quality.profile import WHOLE_TABLE, Profile, load_profile
from quality.rule import number
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import GATE_RESULTS, GATES
from regulars.warehouse import Warehouse

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
FOLDER = "data_docs"
GRAVEST_FIRST = ("broken", "accepted", "warned", "met")


@dataclass(frozen=True)
class Result:
    table: str
    column: str
    expectation: str
    observed: str
    outcome: str


@dataclass(frozen=True)
class GateSection:
    """One gate's results, the gravest first, and its figures tonight and on the last good night."""

    name: str
    results: Sequence[Result]
    figures: Sequence[tuple[str, str, str, str, str]]

    @property
    def state(self) -> str:
        if not self.results:
            return "not run"
        return "stopped" if self.count("broken") else "passed"

    def count(self, outcome: str) -> int:
        return sum(result.outcome == outcome for result in self.results)

    @property
    def noteworthy(self) -> list[Result]:
        return [result for result in self.results if result.outcome != "met"]

    @property
    def met(self) -> list[Result]:
        return [result for result in self.results if result.outcome == "met"]


def write_data_docs(home: Home, warehouse: Warehouse, settings: HomeSettings, as_of: date) -> Path:
    """Write var/data_docs/<as_of>.html and the index of all nights; the page's path."""
    folder = home.private_folder(home.var / FOLDER)
    before = last_passed_night(warehouse, as_of)
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATE_FOLDER)), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sections = [_section(warehouse, gate, as_of, before.as_of if before else None) for gate in GATES]
    page = folder / f"{as_of}.html"
    facts = {"shop": settings.shop.name, "as_of": as_of, "before": before.as_of if before else None}
    _replace(page, environment.get_template("night.html").render(sections=sections, **facts))
    nights = sorted((file.stem for file in folder.glob("[0-9]*.html")), reverse=True)
    _replace(folder / "index.html", environment.get_template("index.html").render(nights=nights, shop=settings.shop.name))
    return page


def _section(warehouse: Warehouse, gate: str, as_of: date, before: date | None) -> GateSection:
    rows = warehouse.rows(
        f"""
        select
            coalesce(table_name, ''), column_name, expectation, observed,
            coalesce(outcome, case when is_met then 'met' else 'broken' end)
        from {GATE_RESULTS.qualified_name} where as_of_date = ? and gate = ?
        """,
        [as_of, gate],
    )
    results = sorted((Result(*row) for row in rows), key=lambda one: (GRAVEST_FIRST.index(one.outcome), one.table, one.column))
    earlier = load_profile(warehouse, gate, before) if before is not None else Profile(as_of)
    tonight = load_profile(warehouse, gate, as_of)
    figures = [
        (table, "" if column == WHOLE_TABLE else column, statistic, number(value), _shown(earlier.value(table, column, statistic)))
        for (table, column, statistic), value in sorted(tonight.values.items())
    ]
    return GateSection(gate, results, figures)


def _shown(value: float | None) -> str:
    return "" if value is None else number(value)


def _replace(file: Path, text: str) -> None:
    aside = file.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(file)
