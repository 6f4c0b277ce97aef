"""The gates as a night runs them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from quality.acceptance import accept
from quality.baseline import last_passed_night
from quality.gate import check_features, check_raw, check_scores
from quality.limits import GateLimits, load_limits
from quality.rule import Finding, Rule
from regulars.errors import ConfigurationError, GateFailed
from regulars.home import Home
from regulars.warehouse import open_warehouse
from tests.quality.gate_shop import TONIGHT, nights_until

FIRST, SECOND, _ = nights_until(TONIGHT, 3)
YESTERDAY = TONIGHT - timedelta(days=1)
ADDRESS = re.compile(r"[a-z0-9._+-]+@[a-z0-9.]+")


def run(home: Home, sql: str) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute(sql)


def passed(home: Home, before: date) -> date | None:
    with open_warehouse(home) as warehouse:
        night = last_passed_night(warehouse, before)
    return night.as_of if night else None


def test_a_good_night_passes_and_is_the_measure_of_the_next(shop: Home) -> None:
    assert passed(shop, FIRST) is None
    assert passed(shop, TONIGHT) == SECOND
    for check in (check_raw, check_features):
        check(shop, TONIGHT)
    assert passed(shop, TONIGHT + timedelta(days=1)) == SECOND, "a night counts when it has passed all gates"
    check_scores(shop, TONIGHT)
    assert passed(shop, TONIGHT + timedelta(days=1)) == TONIGHT


def test_a_red_gate_says_what_where_and_what_to_do_and_a_person_can_accept_it(shop: Home) -> None:
    run(shop, f"delete from staging.stg_orders where ordered_date = date '{YESTERDAY}'")
    with pytest.raises(GateFailed) as failure:
        check_raw(shop, TONIGHT)
    message = str(failure.value)
    assert failure.value.exit_code == 3
    assert re.search(rf"orders: placed on {YESTERDAY} is 0, expected between \d+ and [\d,]+; Mondays had a median of \d+ orders", message)
    assert "yesterday's lists stand" in message
    assert f"{SECOND}, the last night that passed" in message
    assert not ADDRESS.search(message)
    assert passed(shop, TONIGHT + timedelta(days=1)) == SECOND
    told = re.search(r"quality accept ([0-9a-f]{16})", message)
    assert told

    with pytest.raises(ConfigurationError, match=re.escape(f"(raw, {TONIGHT})")):
        accept(shop, "0123456789abcdef")
    accept(shop, told[1])
    check_raw(shop, TONIGHT)
    assert outcomes(shop) >= {"accepted"}

    run(shop, "delete from staging.stg_orders where net_revenue > 60")
    with pytest.raises(GateFailed, match=r"quality accept"):
        check_raw(shop, TONIGHT)


def outcomes(home: Home) -> set[str]:
    with open_warehouse(home) as warehouse:
        return {row[0] for row in warehouse.rows("select distinct outcome from quality.gate_results where as_of_date = ?", [TONIGHT])}


def test_what_can_never_be_right_cannot_be_accepted(shop: Home) -> None:
    run(shop, f"update scores.customer_scores set churn_probability = 1.5 where as_of_date = date '{TONIGHT}'")
    with pytest.raises(GateFailed, match="a person cannot accept it") as failure:
        check_scores(shop, TONIGHT)
    assert "customer_scores.churn_probability: max is 1.5, expected between 0 and 1; a probability lies between 0 and 1" in str(
        failure.value
    )


def test_a_home_says_what_it_allows(shop: Home) -> None:
    assert load_limits(shop) == GateLimits()
    file = shop.config / "quality.yml"
    file.write_text(f"quiet_dates: [{YESTERDAY}]\n")
    run(shop, f"delete from staging.stg_orders where ordered_date = date '{YESTERDAY}'")
    run(shop, f"delete from raw.order_lines where known_at > timestamp '{YESTERDAY}'")
    check_raw(shop, TONIGHT)
    file.write_text("quiet_date: []\n")
    with pytest.raises(ConfigurationError, match="did you mean 'quiet_dates'"):
        load_limits(shop)


def test_a_night_that_was_not_built_is_stopped(shop: Home) -> None:
    never = TONIGHT + timedelta(days=1)
    with pytest.raises(GateFailed, match="staging has not been built"):
        check_raw(shop, never)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "link", "iframe")
        self.targets += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_the_data_docs_hold_figures_and_no_person_and_fetch_nothing(built_shop: Home) -> None:
    folder = built_shop.var / "data_docs"
    assert {file.name for file in folder.iterdir()} == {"index.html", f"{FIRST}.html", f"{SECOND}.html"}
    page = (folder / f"{SECOND}.html").read_text()
    with open_warehouse(built_shop) as warehouse:
        people = warehouse.rows("select email, last_name, account_id from private.customers where email is not null limit 300")
    words = set(re.findall(r"[\w.@+-]+", page))
    assert not words & {value for row in people for value in row if value}
    assert not ADDRESS.search(page)
    assert "placed_in_7_days" in page
    for file in folder.iterdir():
        links = Links()
        links.feed(file.read_text())
        assert all(target.startswith("#") or (folder / target).exists() for target in links.targets)
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("observed", "is_met"), [(5.0, True), (1.0, True), (9.0, True), (0.99, False), (9.01, False), (None, False), (float("nan"), False)]
)
def test_a_rule_is_met_within_its_bounds_and_never_without_a_figure(observed: float | None, is_met: bool) -> None:
    finding = Finding(Rule("orders", "*", "rows_count", 1, 9, "there are orders"), observed)
    assert finding.is_met is is_met
    assert ("missing" in finding.seen()) is (observed is None)
