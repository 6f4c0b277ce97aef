"""The reference pages under docs/reference/, written from the contracts and settings themselves: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reference.configuration import SECTIONS, Section
from regulars.segment_rule import RULE_COLUMNS
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, Table, all_tables

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def pages() -> dict[str, str]:
    """Every page's file name and text."""
    return {"columns.md": _columns(), "configuration.md": _configuration(), "tables.md": _tables()}


def write_pages() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _columns() -> str:
    rows = [
        f"| `{column.name}` | {column.type} | {column.description} |"
        for table in (CUSTOMER_FEATURES, CUSTOMER_SCORES)
        for column in table.columns
        if column.name in RULE_COLUMNS
    ]
    return _page(
        "Columns that a segment's rule may use",
        "One value per customer, as of the night. Amounts are in the shop's currency.",
        ["| column | type | meaning |", "| --- | --- | --- |", *rows],
    )


def _configuration() -> str:
    lines: list[str] = []
    for section in SECTIONS:
        lines += [f"## {section.title}", "", *([section.explanation, ""] if section.explanation else []), *_setting_rows(section), ""]
    return _page("Configuration", "All files are YAML. An unknown key is an error that names file, line and key.", lines)


def _setting_rows(section: Section) -> Iterable[str]:
    yield "| key | default | meaning |"
    yield "| --- | --- | --- |"
    for setting in section.settings():
        yield f"| `{setting.name}` | {setting.default} | {setting.description} |"


def _tables() -> str:
    lines: list[str] = []
    for table in all_tables():
        lines += [f"## {table.qualified_name}", "", f"{table.grain} Written by {table.written_by}.", "", *_table_rows(table), ""]
    return _page("Tables in which stages meet", "Declared once, in `regulars/tables/`.", lines)


def _table_rows(table: Table) -> Iterable[str]:
    yield "| column | type | meaning |"
    yield "| --- | --- | --- |"
    for column in table.columns:
        yield f"| `{column.name}` | {column.type}{'' if column.nullable else ', required'} | {column.description} |"


def _page(title: str, introduction: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", introduction, "", *lines]).rstrip() + "\n"
