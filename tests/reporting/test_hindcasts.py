"""The past dates on the page: pooled as customers, each figure where it is known."""

from __future__ import annotations

import re

import pytest

from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from reporting.figure import Absent, Figure
from reporting.hindcast_charts import calibration_of, gain_of, hindcast_figures, quantiles
from reporting.hindcasts import Hindcasts, load_hindcasts
from reporting.night import load_night
from reporting.numbers import percent
from tests.reporting.conftest import HINDCASTS_OF, MODEL, TONIGHT
from tests.reporting.test_report import html, text_of


def loaded(home: Home) -> Hindcasts:
    with open_warehouse(home) as warehouse:
        found = load_hindcasts(warehouse, load_night(warehouse, HomeSettings(home), TONIGHT))
    assert found is not None
    return found


def test_the_page_shows_the_past_dates_pooled_by_customers(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        said, left = warehouse.rows(
            "select sum(churn_predicted * customers_count) / sum(customers_count), "
            "sum(churned_share * customers_count) / sum(customers_count) "
            "from models.hindcasts where predictor = 'blend' and part = 'loyal'"
        )[0]
    text = text_of(html(home))
    assert f"5 orders or more {percent(said, 1)} {percent(left, 1)}".replace("\u202f", " ") in text
    assert "1,800 forecasts at 3 past dates" in text
    assert "1,200 forecasts at 2 past dates" in text
    assert "At 2 past dates: the share expected to stay away for 90 days" in text, "the first one's level was not foretold"


def test_the_page_says_what_the_blend_is_made_of_and_why(home: Home) -> None:
    text = text_of(html(home))
    assert "The churn probability is the mean of two members" in text
    assert "Weighed so it is 0.4791, with equal weights of the usual members 0.4960: of 2,410 customers at 16 past cutoffs these" in text
    assert "Trees by themselves 50.0 % 0.4801 Trees on buy-till-you-die 50.0 % 0.4857 Straight line 0.0 % 0.6383" in text
    assert "The expected value is the mean" not in text


def test_the_ranking_is_held_against_the_simpler_rules(home: Home) -> None:
    gain = gain_of(loaded(home), "churn")
    assert "more than by any simpler rule" in gain.title
    ours, theirs = (float(re.sub(r"[^0-9.]", "", cell)) for cell in gain.table.rows[4][1:])
    assert theirs == pytest.approx(50, abs=0.1), "who says the same of all draws lots"
    assert ours > 60


def test_quantiles_are_counted_where_the_value_is_known(home: Home) -> None:
    shown = quantiles(loaded(home))
    assert isinstance(shown, Figure)
    assert [row[0] for row in shown.table.rows][:1] == ["All"]
    assert shown.table.rows[0][1] == "1,200"


def test_a_shop_whose_value_horizon_has_not_passed_says_so(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("delete from models.hindcasts where as_of_date < ?", [HINDCASTS_OF[-1]])
        night = load_night(warehouse, HomeSettings(home), TONIGHT)
    *_, last = hindcast_figures(loaded(home), night)
    assert isinstance(last, Absent)
    assert "365 days back yet" in last.why
    assert "at 1 past date," in calibration_of(loaded(home)).note


def test_without_hindcasts_the_trial_alone_is_shown(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("delete from models.hindcasts where model_version = ?", [MODEL])
    text = text_of(html(home))
    assert "2,410 customers that the training did not see" in text
    assert "At past dates" not in text
