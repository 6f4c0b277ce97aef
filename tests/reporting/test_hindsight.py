"""The page of hindsight: what a past night said, what came of it, who was written to apart, and a young home's honest page."""

from __future__ import annotations

import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from regulars.hindsight import judged_nights
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.tables import PLAYS, SEGMENT_MATCHES, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse, open_warehouse
from reporting.hindsight import Hindsight, load_hindsight
from reporting.report import report_pages
from tests.reporting.conftest import ROOT, TONIGHT
from tests.reporting.test_report import outline, text_of
from tests.turning_shop import CHURN_DAYS, FIRST_NIGHT, VALUE_DAYS, fill, turning_home

NIGHTS = [FIRST_NIGHT + timedelta(days=CHURN_DAYS * number) for number in range(4)]
JUDGED, LAST = NIGHTS[2], NIGHTS[3]
MEMBERS = [f"c{number:05}" for number in range(120)]
CONTROLS = [f"c{number:05}" for number in range(120, 150)]
WRITTEN_TO = MEMBERS[:50]


@pytest.fixture(params=["duckdb", "postgres"])
def judged_home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Four nights; a list, its control group and its plays stand on the last but one."""
    home = turning_home(tmp_path / "home")
    if request.param == "postgres":
        home = request.getfixturevalue("postgres_server").use_for(home)
    shutil.copytree(ROOT / "config" / "segments", home.config / "segments")
    fill(home, NIGHTS, turn=date.max, factor=1.0, customers=400)
    with open_warehouse(home) as warehouse:
        listed = {"customer_id": MEMBERS, "as_of_date": [JUDGED] * 120, "segment": ["win_back"] * 120}
        granted = {"entered_on": [JUDGED] * 120, "contact_permission": ["granted"] * 120}
        warehouse.append(SEGMENT_MEMBERSHIPS, pa.table(listed | granted))
        fitting = [*MEMBERS, *CONTROLS]
        warehouse.append(SEGMENT_MATCHES, pa.table({"customer_id": fitting, "as_of_date": [JUDGED] * 150, "segment": ["win_back"] * 150}))
        plays = {"customer_id": WRITTEN_TO, "as_of_date": [JUDGED + timedelta(days=3)] * 50, "segment": ["win_back"] * 50}
        warehouse.append(PLAYS, pa.table(plays | {"channel": ["email"] * 50, "offer": ["-"] * 50, "valid_until": [LAST] * 50}))
        if request.param == "postgres":  # as dbt does after a build
            warehouse.execute("grant select on all tables in schema intermediate to regulars_reader")
    with State(home.state).connection() as connection:
        for arm, persons, day in (("control", CONTROLS, JUDGED), ("treatment", MEMBERS, JUDGED), ("control", ["c00300"], LAST)):
            ids = "[" + ",".join(f'"{person}"' for person in persons) + "]"
            connection.execute("insert into control_arms values ('win_back', ?, ?, ?)", [arm, day.isoformat(), ids])
    return home


def hindsight_of(home: Home, warehouse: Warehouse, target: str) -> Hindsight:
    days = CHURN_DAYS if target == "churn" else VALUE_DAYS
    night = next(judged_nights(warehouse, LAST, target, days))  # type: ignore[arg-type]
    return load_hindsight(warehouse, State(home.state), night, LAST)


def what_happened(warehouse: Warehouse, night: date, days: int) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Said by customer and brought by who ordered, counted by hand."""
    scores = warehouse.rows(
        "select customer_id, churn_probability, expected_value from scores.customer_scores where as_of_date = ?", [night]
    )
    first = (night - date(1970, 1, 1)).days
    orders = warehouse.rows("select customer_id, ordered_day, net_revenue from intermediate.int_as_of_orders where as_of_date = ?", [LAST])
    brought: dict[str, float] = {}
    for customer, day, revenue in orders:
        if first <= day < first + days:
            brought[customer] = brought.get(customer, 0.0) + float(revenue)
    return {customer: (1 - churn, value) for customer, churn, value in scores}, brought


def test_said_and_happened_are_those_of_the_judged_night_on_either_engine(judged_home: Home) -> None:
    with open_warehouse(judged_home) as warehouse:
        orders, value = hindsight_of(judged_home, warehouse, "churn"), hindsight_of(judged_home, warehouse, "value")
        said, brought = what_happened(warehouse, JUDGED, CHURN_DAYS)
        said_value, brought_value = what_happened(warehouse, NIGHTS[1], VALUE_DAYS)
        earlier = list(judged_nights(warehouse, LAST, "churn", CHURN_DAYS))[1]
        ordered_earlier = load_hindsight(warehouse, State(judged_home.state), earlier, LAST).whole.happened
        assert ordered_earlier == len(what_happened(warehouse, NIGHTS[1], CHURN_DAYS)[1]), (
            "orders on the day that a horizon ends are later ones"
        )
    assert (orders.night.as_of, value.night.as_of) == (JUDGED, NIGHTS[1])
    assert orders.whole.customers_count == 400
    assert orders.whole.said == pytest.approx(sum(order for order, _ in said.values()))
    assert orders.whole.happened == len(brought) > 100
    assert value.whole.said == pytest.approx(sum(amount for _, amount in said_value.values()), rel=1e-6)
    assert value.whole.happened == pytest.approx(sum(brought_value.values()))
    assert [one.customers_count for one in orders.tenths] == [40] * 10
    assert sum(one.happened for one in orders.tenths) == orders.whole.happened
    assert [one.said for one in orders.tenths] == sorted((one.said for one in orders.tenths), reverse=True)
    above = sum(brought_value.get(customer, 0.0) > 2 * amount for customer, (_, amount) in said_value.items())
    assert value.above[-1] == pytest.approx(above / 400)

    assert orders.written_to.customers_count == 50
    assert orders.left_alone.customers_count == 350
    (one,) = orders.lists
    assert (one.segment, one.written_to_count) == ("win_back", 50)
    assert (one.members.customers_count, one.controls.customers_count) == (120, 30)
    assert one.members.happened == len(set(MEMBERS) & set(brought))
    assert one.controls.said == pytest.approx(sum(said[customer][0] for customer in CONTROLS))
    assert one.controls.happened == len(set(CONTROLS) & set(brought))


def test_the_page_says_it_in_words_and_names_nobody(judged_home: Home) -> None:
    with open_warehouse(judged_home) as warehouse:
        orders = hindsight_of(judged_home, warehouse, "churn")
    report, page = report_pages(judged_home, HomeSettings(judged_home), LAST)
    assert report_pages(judged_home, HomeSettings(judged_home), LAST) == (report, page)
    parsed = outline(page)
    assert parsed.fetched == ["a href"]
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert not re.search(r"\bc\d{5}\b", page)
    text = text_of(page)
    sentence = (
        f"On 30 Apr 2024 we said that {orders.whole.said:.0f} of 400 customers would order within 60 days. {orders.whole.happened:.0f} did"
    )
    assert sentence in text
    assert sentence in text_of(report)
    (one,) = orders.lists
    assert f"Of 120 on “Win-back”, {one.members.happened:.0f} ordered; we had said {one.members.said:.0f}" in text
    assert "Until then: past dates" not in text


@pytest.mark.parametrize("judged_home", ["duckdb"], indirect=True)
def test_who_became_another_person_is_given_that_persons_orders_and_who_was_erased_is_left_out(judged_home: Home) -> None:
    with open_warehouse(judged_home) as warehouse:
        before = hindsight_of(judged_home, warehouse, "churn").whole
        _, brought = what_happened(warehouse, JUDGED, CHURN_DAYS)
        silent = next(customer for customer in MEMBERS if customer not in brought)
        ordering = next(customer for customer in MEMBERS if customer in brought)
        warehouse.execute("update intermediate.int_account_persons set customer_id = ? where account_id = ?", [ordering, silent])
        assert hindsight_of(judged_home, warehouse, "churn").whole.happened == before.happened + 1
        warehouse.execute("delete from intermediate.int_account_persons where account_id = ?", [silent])
        assert hindsight_of(judged_home, warehouse, "churn").whole.customers_count == before.customers_count - 1


def test_a_young_home_says_when_it_can_first_be_told_and_shows_past_dates(home: Home) -> None:
    report, page = report_pages(home, HomeSettings(home), TONIGHT)
    text = text_of(page)
    assert "The first predictions of this home were made on 30 June 2025, for orders within 90 days." in text
    assert "What became of them can first be told on 28 September 2025." in text
    assert "can first be told on 30 June 2026." in text
    assert "Until then: past dates, in training" in text
    assert "1,800 forecasts at 3 past dates" in text
    assert "No night’s predictions have been judged" in text.replace("'", "’")
    assert "can first be told on 28 September 2025" in text_of(report)


def test_a_past_night_whose_orders_are_not_at_hand_says_so(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("delete from intermediate.int_as_of_orders where as_of_date = ?", [TONIGHT])
    assert "The orders of this night are not at hand" in text_of(report_pages(home, HomeSettings(home), TONIGHT)[1])
