"""The table on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from regulars.home import Home
from regulars.state import State
from reporting.summary import summary_lines
from tests.reporting.conftest import TONIGHT


def send(home: Home, plan: str, *, moves: bool) -> None:
    """As a push leaves the state: the night's last plan, and the ledger entries of what it moved."""
    with State(home.state).transaction() as connection:
        connection.execute("insert or replace into sent_nights values ('lists', ?, ?)", [TONIGHT.isoformat(), plan])
        if moves:
            connection.execute(
                "insert into ledger (destination, segment, action, plan_sha256, as_of_date, customers_count, customer_ids)"
                " values (?, ?, ?, ?, ?, ?, ?)",
                ["lists", "loyal", "enter", plan, TONIGHT.isoformat(), 1, '["c1"]'],
            )


def test_the_table_is_aligned_and_fits_a_hundred_characters(home: Home) -> None:
    send(home, "first", moves=True)
    lines = summary_lines(home, TONIGHT)
    assert lines[0] == "Tea & Sons <Ltd>, 1 July 2025"
    assert all(len(line) <= 100 for line in lines[:-2])
    head = next(number for number, line in enumerate(lines) if line.startswith("Segment"))
    table = lines[head : head + 8]
    assert len({len(line) for line in table}) == 1
    loyal = next(line for line in table if line.startswith("Loyal customers")).split()
    assert loyal[-2:] == ["+18", "−13"]
    assert not any("Nothing" in line for line in lines)
    assert lines[-2].startswith("Lists   ")
    assert lines[-1] == f"Report  {home.reports / '2025-07-01.html'}"


def test_a_repeated_night_says_that_nothing_changed(home: Home) -> None:
    send(home, "first", moves=True)
    send(home, "again", moves=False)
    assert any(line.startswith("Nothing changed: ") for line in summary_lines(home, TONIGHT))


def test_a_night_that_sent_nothing_says_so(empty_home: Home) -> None:
    lines = summary_lines(empty_home, TONIGHT)
    assert "Nothing was sent on this night." in lines
    assert any(line.startswith("Loyal customers") for line in lines)


def test_paths_are_short_where_the_command_was_given(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path)
    assert summary_lines(home, TONIGHT)[-1] == "Report  var/reports/2025-07-01.html"


def test_the_lists_that_were_written_last_are_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path)
    assert summary_lines(home, TONIGHT)[-2] == "Lists   var/lists"
    Path(home.lists / "2025-07-01").mkdir(parents=True)
    assert summary_lines(home, TONIGHT)[-2] == "Lists   var/lists/2025-07-01"
