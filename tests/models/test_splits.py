"""Nothing that was learned after a cutoff may reach a prediction for it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from models.buy_till_you_die import GammaGamma, MbgNbd
from models.expectation import Expectation, Level, ObservedLevel, ShopAtDate
from models.splits import folds_by_customer
from models.training_frame import TrainingFrame
from models.trial import run_trial
from regulars.home import Home
from tests.models.synthetic_shop import frame_of

DAYS = st.dates(date(2020, 1, 1), date(2022, 1, 1))


@given(as_of=DAYS, churn=st.integers(1, 200), value=st.integers(1, 400), steps=st.integers(1, 20))
def test_a_frame_as_known_at_a_date_holds_no_label_of_a_window_that_ends_later(as_of: date, churn: int, value: int, steps: int) -> None:
    cutoffs = np.array([date(2020, 6, 1) + timedelta(days=28 * step) for step in range(steps)], dtype="datetime64[D]")
    none = frame_without_features(cutoffs, churn, value)
    known = none.known_at(as_of)
    assert (known.cutoffs + np.timedelta64(churn, "D") <= np.datetime64(as_of, "D")).all()
    with_value = known.cutoffs[known.has_value]
    assert (with_value + np.timedelta64(value, "D") <= np.datetime64(as_of, "D")).all()
    assert len(known) == sum(cutoff + timedelta(days=churn) <= as_of for cutoff in cutoffs.tolist())


def frame_without_features(cutoffs: np.ndarray, churn: int, value: int) -> TrainingFrame:
    rows = len(cutoffs)
    expectation = Expectation(MbgNbd.starts()[0], GammaGamma(5.0, 4.0, 0.6), 1.0)
    shops = {
        day: ShopAtDate(day, expectation, 100, 0.5, ObservedLevel(churn, Level()), ObservedLevel(value, Level()))
        for day in cutoffs.tolist()
    }
    numbers = np.arange(rows)
    return TrainingFrame(pa.table({"x": numbers}), numbers, cutoffs, np.zeros(rows, bool), np.ones(rows), churn, value, shops)


def test_what_happens_after_the_held_out_cutoff_changes_no_prediction_for_it(trained_shop: Home) -> None:
    frame = frame_of(trained_shop)
    frame = frame.where(frame.customers < 250)
    held_out = frame.churn_cutoffs[-1]
    later = frame.cutoffs + np.timedelta64(frame.churn_horizon_days, "D") > np.datetime64(held_out, "D")
    turned = replace(
        frame, has_churned=np.where(later, ~frame.has_churned, frame.has_churned), value=np.where(later, frame.value * 100, frame.value)
    )
    honest, other = (run_trial(some, lifespan_years=2.0) for some in (frame, turned))
    assert honest.churn.held_out == "later cutoff"
    bins, others = honest.bins("blend"), other.bins("blend")
    assert [(count, predicted) for _, count, predicted, _ in bins] == [(count, predicted) for _, count, predicted, _ in others]
    assert bins != others


@given(st.lists(st.integers(0, 60), max_size=200), st.integers(2, 6))
def test_a_customer_stands_in_one_fold_and_folds_are_even(customers: list[int], folds: int) -> None:
    fold = folds_by_customer(np.array(customers, dtype=np.int64), folds)
    fold_of: dict[int, int] = {}
    for customer, number in zip(customers, fold.tolist(), strict=True):
        assert fold_of.setdefault(customer, number) == number
    sizes = [list(fold_of.values()).count(number) for number in range(folds)]
    assert max(sizes) - min(sizes) <= 1
