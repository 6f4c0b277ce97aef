"""Which past dates are learned from."""

from datetime import date, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from models.training_cutoffs import cutoffs_of_home, first_event_date, training_cutoffs, window_days
from regulars.settings import PredictionSettings, TrainingSettings
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, FIRST_ORDER, land_first_order, write_configuration

AS_OF_DAY = date(2024, 6, 1)


def settings(churn: int = 90, value: int = 365, **training: int) -> PredictionSettings:
    return PredictionSettings(churn_horizon_days=churn, value_horizon_days=value, training=TrainingSettings(**training))


def test_the_latest_cutoff_shows_something_of_the_horizon_and_the_others_step_from_it() -> None:
    cutoffs = training_cutoffs(settings(cutoffs_count=3, cutoff_step_days=28), AS_OF_DAY, date(2020, 1, 1))
    assert cutoffs == [date(2024, 2, 10), date(2024, 3, 9), date(2024, 4, 6)]
    assert [window_days(cutoff, AS_OF_DAY, 90) for cutoff in cutoffs] == [90, 84, 56]
    assert training_cutoffs(settings(churn=30), AS_OF_DAY, date(2020, 1, 1))[-1] == date(2024, 5, 2)


@given(
    history=st.integers(0, 1500),
    churn=st.integers(1, 400),
    value=st.integers(1, 800),
    step=st.integers(1, 200),
    count=st.integers(1, 30),
    min_history=st.integers(1, 400),
)
def test_every_cutoff_has_history_before_it_and_a_window_behind_it(
    history: int, churn: int, value: int, step: int, count: int, min_history: int
) -> None:
    first = AS_OF_DAY - timedelta(days=history)
    prediction = settings(churn, value, cutoff_step_days=step, cutoffs_count=count, min_history_days=min_history)
    cutoffs = training_cutoffs(prediction, AS_OF_DAY, first)
    assert cutoffs == sorted(set(cutoffs))
    assert len(cutoffs) <= count
    for cutoff in cutoffs:
        assert (cutoff - first).days >= min_history
        windows = {horizon: window_days(cutoff, AS_OF_DAY, horizon) for horizon in (churn, value)}
        assert windows[min(churn, value)] is not None
        for horizon, days in windows.items():
            assert days is None or min(horizon, 56) <= days <= horizon
            assert days is None or cutoff + timedelta(days=days) <= AS_OF_DAY
    assert bool(cutoffs) == (history >= min(churn, value, 56) + min_history)


def test_a_shop_without_orders_has_no_cutoffs(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    assert cutoffs_of_home(home, AS_OF) == []
    with open_warehouse(home) as warehouse:
        assert first_event_date(warehouse, "Europe/London") is None


def test_the_first_order_may_stand_in_order_lines_and_is_a_date_of_the_shop(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    with open_warehouse(home) as warehouse:
        land_first_order(warehouse, FIRST_ORDER)
        warehouse.execute("update raw.order_lines set event_at = timestamp '2023-06-30 23:30:00'")
        assert first_event_date(warehouse, "Europe/London") == date(2023, 7, 1)
