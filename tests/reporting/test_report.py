"""The page as a whole: true to the warehouse, the same bytes for the same content, self-contained, and whole on a red night."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from reporting.figure import Absent, Figure
from reporting.numbers import NARROW_SPACE, Money, count
from reporting.reasons import LEAVING, leaving_reasons, told_reasons
from reporting.report import report_pages, write_report
from tests.reporting.conftest import LAST_NIGHT, MODEL, TONIGHT, fill

VOID = {"meta", "br", "img", "input", "hr", "link"}


class Outline(HTMLParser):
    """Checks that elements close in order, and collects what a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attrs)
        self.fetched += [f"{tag} {name}" for name in ("src", "href", "srcset", "action", "xlink:href") if name in attributes]
        if tag in ("script", "link", "iframe", "object", "embed") or any(name.startswith("on") for name in attributes):
            self.fetched.append(tag)
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(outline(page).texts)).replace(NARROW_SPACE, " ")


def html(home: Home, as_of: date = TONIGHT) -> str:
    return report_pages(home, HomeSettings(home), as_of)[0]


def test_the_page_is_self_contained_and_well_formed(home: Home) -> None:
    page = html(home)
    parsed = outline(page)
    assert parsed.fetched == ["a href"], "the page of hindsight beside it is led to, and nothing is fetched"
    assert f'href="hindsight-{TONIGHT}.html"' in page
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page
    assert '<html lang="en">' in page
    assert page.count("<details>") >= 10
    for figure in re.findall(r"<figure.*?</figure>", page, re.S):
        assert "<table>" in figure, "a chart without its table"


def test_the_page_says_what_the_warehouse_holds(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        customers, expected, at_risk = warehouse.rows(
            "select count(*), sum(expected_value), sum(value_at_risk) from scores.customer_scores where as_of_date = ?", [TONIGHT]
        )[0]
        granted = warehouse.rows(
            "select count(distinct customer_id) from segments.segment_memberships where as_of_date = ? and contact_permission = 'granted'",
            [TONIGHT],
        )[0][0]
    text, money = text_of(html(home)), Money("EUR")
    assert "Tea & Sons <Ltd>, 1 July 2025" in text
    assert f"blend, model {MODEL}" in text
    assert f"Customers scored {count(customers)}" in text
    assert f"Value at risk {money.short(at_risk)}" in text
    assert f"Expected value, 365 days {money.short(expected)}" in text
    assert f"On a list, may be contacted {count(granted)}" in text
    assert "✓ passed, 3 expectations met" in text
    assert "as known on 1 July 2025, 01:12 UTC" in text
    assert "Free shipping on the second order, by email" in text


def test_entered_and_left_are_the_differences_of_the_lists(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        lists = warehouse.rows("select as_of_date, customer_id from segments.segment_memberships where segment = 'loyal'")
    before, tonight = ({customer for night, customer in lists if night == day} for day in (LAST_NIGHT, TONIGHT))
    row = re.search(r"Loyal customers They order by themselves.*?by email (\S+) \+(\S+) −(\S+) ", text_of(html(home)))
    assert row is not None
    assert row.groups() == (count(len(tonight)), count(len(tonight - before)), count(len(before - tonight)))


def test_what_was_read_is_counted_up_to_this_night_and_not_beyond(home: Home) -> None:
    text = text_of(html(home))
    assert "sample_shop orders 212 188 20 4 0" in text
    assert "sample_shop orders 41,419 41,189 20 203 7" in text
    assert "999,999" not in text
    assert "test order sample_shop orders 124" in text
    assert "does not add up" not in text


def test_an_account_that_does_not_add_up_is_called_out(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("update control.ingestion_accounts set rows_loaded = rows_loaded - 1 where table_name = 'customers'")
    assert "does not add up" in text_of(html(home))


def test_the_same_content_gives_the_same_bytes(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    first = html(home)
    assert html(home) == first
    other = Home(tmp_path_factory.mktemp("other"))
    (other.path / "config").symlink_to(home.config)
    fill(other)
    with open_warehouse(other) as warehouse:
        for table in ("scores.customer_scores", "segments.segment_memberships", "intermediate.int_as_of_orders"):
            warehouse.execute(f"create or replace table {table} as select * from {table} order by hash(customer_id)")
    assert html(other) == first


def test_no_customer_is_named(home: Home) -> None:
    assert not re.search(r"\bc\d{6}\b", html(home))


def test_files_are_written_whole_and_latest_is_the_latest_night(home: Home) -> None:
    write_report(home, TONIGHT, "night")
    write_report(home, LAST_NIGHT, "night")
    files = sorted(path.name for path in home.reports.iterdir())
    assert files == ["2025-06-30.html", "2025-07-01.html", "hindsight-2025-06-30.html", "hindsight-2025-07-01.html", "latest.html"]
    assert (home.reports / "latest.html").read_bytes() == (home.reports / "2025-07-01.html").read_bytes()
    assert (home.reports / "latest.html").stat().st_mode & 0o077 == 0


def test_an_empty_warehouse_gives_a_page_that_says_why(empty_home: Home) -> None:
    text = text_of(html(empty_home))
    for sentence in (
        "Nobody was scored on this night, so there are no figures about customers and segments.",
        "No customer stands on any list on this night.",
        "The orders of this night are not at hand: the features were last built for another date.",
        "Nothing was sent",
        "No source has been read up to this night.",
        "Gates not run",
    ):
        assert sentence in text


def test_a_stopped_night_says_what_stopped_it(home: Home) -> None:
    night = TONIGHT + timedelta(days=1)
    with open_warehouse(home) as warehouse:
        warehouse.execute(
            "insert into quality.gate_results (as_of_date, gate, expectation, column_name, is_met, observed, table_name, outcome) values "
            "(?, 'features', 'rows: there are customers', '', false, 'is 0, expected at least 1', 'customer_features', 'broken')",
            [night],
        )
    text = text_of(html(home, night))
    assert "✗ stopped the night, 1 of 1 expectations not met" in text
    assert "customer_features rows: there are customers is 0, expected at least 1" in text
    assert "Nothing was sent: the gate stopped the night" in text
    assert "Nobody was scored on this night" in text
    assert "No lists were made on this night; those of the last one stand." in text
    assert "0 – – €0 €0 –" in text, "nobody leaves a list that was not made"


def test_a_night_that_ended_between_two_gates_has_not_passed_them(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("delete from quality.gate_results where gate = 'scores'")
    text = text_of(html(home))
    assert "2 passed; the night ended before the next one" in text
    assert "✓ passed" not in text


def test_a_first_night_shows_sizes_and_no_movement(home: Home) -> None:
    text = text_of(html(home, LAST_NIGHT))
    assert "On a first night nobody has moved." in text
    assert "since 30 Jun 2025" not in text


def test_a_segment_that_left_the_catalogue_stays_on_the_page(home: Home) -> None:
    (home.config / "segments" / "loyal.yml").unlink()
    text = text_of(html(home))
    assert "loyal No longer in the catalogue." in text


def test_a_model_that_is_behind_is_not_praised(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("update models.model_evaluations set value = 0.7 where predictor = 'blend' and metric = 'log_loss'")
    text = text_of(html(home))
    assert "Honest probabilities: “RFM groups” is ahead" in text
    assert "Telling who will leave: our model is ahead" in text


def test_each_metric_is_taken_from_its_own_latest_cutoff(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("update models.model_evaluations set as_of_date = date '2024-06-26' where metric = 'mae'")
    text = text_of(html(home))
    assert "Measured from 26 Jun 2024 on." in text
    assert "Measured from 26 Mar 2025 on." in text


def test_reasons_are_counted_of_customers_at_risk(home: Home) -> None:
    with open_warehouse(home, read_only=True) as warehouse:
        at_risk = warehouse.rows("select count(*) from scores.customer_reasons where is_at_risk")[0][0]
        told, leaving = told_reasons(warehouse, TONIGHT), leaving_reasons(warehouse, TONIGHT)
        nobody = told_reasons(warehouse, LAST_NIGHT), leaving_reasons(warehouse, LAST_NIGHT)
    assert isinstance(told, Figure)
    assert isinstance(leaving, Figure)
    third = -(-at_risk // 3)
    assert [row[:2] for row in told.table.rows] == [("How long they are silent", count(at_risk)), ("How often they ordered", count(third))]
    found = {row[0]: row[1] for row in leaving.table.rows}
    assert found == dict.fromkeys(LEAVING.values(), "0") | {"Dissatisfied": count(third), "Not known": count(at_risk - third)}
    assert "33" in leaving.title
    assert all(isinstance(one, Absent) for one in nobody)
