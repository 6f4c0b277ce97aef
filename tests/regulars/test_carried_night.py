"""A night is carried from the one before only while that one knows what its tables were built from."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from regulars.carried_night import night_before, record_night
from regulars.home import Home
from regulars.nights import FILES_OF_A_RUN, open_night
from regulars.run import close_run, open_run
from regulars.warehouse import open_warehouse

ROOT = Path(__file__).resolve().parents[2]
MONDAY = date(2025, 6, 30)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return Home.at(tmp_path)


def test_a_night_that_was_opened_again_is_not_carried_over(home: Home) -> None:
    monday = open_run(home, "night", MONDAY)
    with open_warehouse(home) as warehouse:
        known_until = open_night(warehouse, monday)
        record_night(warehouse, monday)
    close_run(monday)
    tuesday = open_run(home, "night", MONDAY + timedelta(days=1))
    with open_warehouse(home) as warehouse:
        carried = night_before(warehouse, tuesday, tuesday.known_at + FILES_OF_A_RUN)
    assert carried is not None
    assert (carried.as_of, carried.known_until) == (MONDAY, known_until)
    assert carried.known_until <= tuesday.known_at + FILES_OF_A_RUN
    # Its tables were to be built again, and are not: they do not hold what this run has learned.
    close_run(tuesday, "failed")
    again = open_run(home, "night", MONDAY)
    with open_warehouse(home) as warehouse:
        open_night(warehouse, again)
        assert night_before(warehouse, tuesday, tuesday.known_at + timedelta(days=1)) is None
