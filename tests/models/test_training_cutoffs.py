"""Which past dates are learned from."""

from datetime import date, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from models.training_cutoffs import cutoffs_of_home, first_event_date, training_cutoffs, value_horizon
from regulars.settings import PredictionSettings, TrainingSettings
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, FIRST_ORDER, land_first_order, write_configuration

AS_OF_DAY = date(2024, 6, 1)


def settings(churn: int = 90, value: int = 365, **training: int) -> PredictionSettings:
    return PredictionSettings(churn_horizon_days=churn, value_horizon_days=value, training=TrainingSettings(**training))


def test_the_latest_cutoff_lies_one_churn_horizon_back_and_the_others_step_from_it() -> None:
    cutoffs = training_cutoffs(settings(cutoffs_count=3, cutoff_step_days=28), AS_OF_DAY, date(2020, 1, 1))
    assert cutoffs == [date(2024, 1, 7), date(2024, 2, 4), date(2024, 3, 3)]


@given(
    history=st.integers(0, 1500),
    churn=st.integers(1, 400),
    value=st.integers(1, 800),
    step=st.integers(1, 200),
    count=st.integers(1, 30),
    min_history=st.integers(1, 400),
)
def test_every_cutoff_has_history_before_it_and_its_horizon_behind_it(
    history: int, churn: int, value: int, step: int, count: int, min_history: int
) -> None:
    first = AS_OF_DAY - timedelta(days=history)
    prediction = settings(churn, value, cutoff_step_days=step, cutoffs_count=count, min_history_days=min_history)
    cutoffs = training_cutoffs(prediction, AS_OF_DAY, first)
    assert cutoffs == sorted(set(cutoffs))
    assert len(cutoffs) <= count
    for cutoff in cutoffs:
        assert cutoff + timedelta(days=churn) <= AS_OF_DAY
        assert (cutoff - first).days >= min_history
    assert bool(cutoffs) == (history >= churn + min_history)
    learned = value_horizon(prediction, AS_OF_DAY, cutoffs)
    assert all(cutoff + timedelta(days=learned.days) <= AS_OF_DAY for cutoff in learned.cutoffs)
    assert bool(learned.cutoffs) == bool(cutoffs)
    assert learned.days in (churn, value)


def test_a_shop_too_young_for_the_value_horizon_learns_it_over_the_churn_horizon() -> None:
    prediction = settings()
    young = training_cutoffs(prediction, AS_OF_DAY, AS_OF_DAY - timedelta(days=300))
    assert value_horizon(prediction, AS_OF_DAY, young).days == 90
    grown = training_cutoffs(prediction, AS_OF_DAY, AS_OF_DAY - timedelta(days=700))
    learned = value_horizon(prediction, AS_OF_DAY, grown)
    assert learned.days == 365
    assert 0 < len(learned.cutoffs) < len(grown)


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
