"""What the pages tell a reader to do is done here."""

import re
import sys
from collections.abc import Iterator
from datetime import date, datetime
from importlib import import_module
from pathlib import Path

import pytest

from activation.destination import load_destination
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.source import load_sources
from regulars.home import Home
from regulars.new_home import write_home
from regulars.segment import load_segments
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2025, 1, 1)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, indentation removed."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    return ["".join(line[len(indent) :] for line in body.splitlines(keepends=True)) for indent, body in found]


def _ingest(home: Home) -> None:
    extract_source(home, "shop", AS_OF, "night")
    land_source(home, "shop", AS_OF, "night")


def _modules_named() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield from re.findall(r"python -m ([a-z]\w*(?:\.\w+)*) ([a-z][a-z-]+)", page.read_text(encoding="utf-8"))


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {target for page in PAGES for target in re.findall(r"(?:^\$ |`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)}
    assert {"demo", "test", "night", "up", "down"} <= named
    assert named <= targets


@pytest.mark.parametrize(("module", "verb"), sorted(set(_modules_named())))
def test_every_command_exists(module: str, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [module, verb, "--help"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"{module}.__main__").main()
    assert ended.value.code == 0, capsys.readouterr().err


def test_own_orders_are_read_as_the_how_to_says(tmp_path: Path) -> None:
    folder = tmp_path / "my-shop"
    write_home(folder)
    (folder / "config" / "sources.yml").write_text(_blocks("docs/how-to/own-orders.md", "yaml")[0], encoding="utf-8")
    (folder / "orders.csv").write_text(_blocks("docs/how-to/own-orders.md", "csv")[0], encoding="utf-8")
    _ingest(Home.at(folder))
    with open_warehouse(Home.at(folder)) as warehouse:
        rows = warehouse.rows("select order_id, account_id, ordered_at, net_revenue, currency from raw.orders")
    assert [(*row[:3], float(row[3]), row[4]) for row in rows] == [("1001", "42", datetime(2024, 12, 31, 18, 5), 1249.5, "GBP")]


def test_a_new_home_is_valid_as_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "my-shop"
    write_home(folder)
    home = Home.at(folder)
    assert load_segments(home)
    assert HomeSettings(home).prediction.churn_horizon_days == 90
    (folder / "orders.csv").write_text("order_id,customer_id,ordered_at,net_revenue\n1,7,2024-12-31 10:00:00,12.50\n")
    _ingest(home)
    with open_warehouse(home) as warehouse:
        assert warehouse.rows("select count(*) from raw.orders where event_at < ?", [AS_OF]) == [(1,)]


def test_the_mailchimp_page_shows_a_destination_that_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "my-shop"
    write_home(folder)
    (folder / "config" / "destinations.yml").write_text(_blocks("docs/how-to/mailchimp.md", "yaml")[0], encoding="utf-8")
    settings = load_destination(Home.at(folder), "newsletter").settings
    assert settings.connection == "mailchimp"
    assert list(settings.secret_variables().values()) == ["MAILCHIMP_API_KEY"]


def test_the_s3_page_shows_what_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "my-shop"
    write_home(folder)
    for name, block in zip(("sources", "destinations", "prediction"), _blocks("docs/how-to/s3.md", "yaml"), strict=True):
        (folder / "config" / f"{name}.yml").write_text(block, encoding="utf-8")
    home = Home.at(folder)
    settings = HomeSettings(home)
    assert [table.name for table in load_sources(home, settings.shop)["shop"].tables] == ["customers", "orders"]
    assert load_destination(home, "bucket").settings.segments is None
    assert settings.prediction.registry.path == "s3://my-shop-models/regulars"
