"""Predictions are brought to the level of the season that they are for."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.season import level_cutoff
from models.trained_model import fit_model
from models.training_frame import TrainingFrame
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, features_at, frame_of


def frame_with_ages(cutoffs: list[date], ages: list[int]) -> TrainingFrame:
    rows = len(cutoffs) * len(ages)
    return TrainingFrame(
        pa.table({"customer_age_days": np.tile(ages, len(cutoffs))}),
        np.tile(np.arange(len(ages)), len(cutoffs)),
        np.repeat(np.array(cutoffs, dtype="datetime64[D]"), len(ages)),
        np.zeros(rows, bool),
        np.ones(rows),
        90,
        90,
    )


def back(*days: int) -> list[date]:
    return sorted(AS_OF - timedelta(days=number) for number in days)


@pytest.mark.parametrize(
    ("days_back", "chosen"),
    [
        ((90, 230, 370, 398), 370),
        ((90, 118, 146), 90),
        ((90, 379), 379),
        ((90, 380), 90),
        ((90, 351), 351),
        ((90, 350), 90),
    ],
)
def test_the_level_is_that_of_a_year_ago_when_a_cutoff_lies_near_it_else_the_latest(days_back: tuple[int, ...], chosen: int) -> None:
    cutoffs = back(*days_back)
    assert level_cutoff(frame_with_ages(cutoffs, [10, 900]), cutoffs, AS_OF) == AS_OF - timedelta(days=chosen)


def test_a_closed_cohort_has_no_season() -> None:
    cutoffs = back(90, 365)
    assert level_cutoff(frame_with_ages(cutoffs, [900] * 30), cutoffs, AS_OF) == max(cutoffs)
    assert level_cutoff(frame_with_ages(cutoffs, [900] * 28 + [100] * 2), cutoffs, AS_OF) == min(cutoffs)


def test_churn_is_predicted_at_the_level_of_that_cutoff(trained_shop: Home) -> None:
    frame = frame_of(trained_shop)
    first, latest = frame.churn_cutoffs[0], frame.churn_cutoffs[-1]
    stays = frame.is_at(first) & (np.random.default_rng(4).random(len(frame)) < 0.5)
    seasonal = replace(frame, has_churned=frame.has_churned & ~stays)
    unseen = features_at(AS_OF, 2000, seed=9)
    for as_of, cutoff in ((first + timedelta(days=365), first), (latest + timedelta(days=60), latest)):
        predicted = fit_model(seasonal, as_of).predict(unseen).churn_probability.mean()
        assert predicted == pytest.approx(seasonal.has_churned[seasonal.is_at(cutoff)].mean(), abs=0.06)


def test_the_value_is_predicted_at_the_level_of_that_cutoff(trained_shop: Home) -> None:
    frame = frame_of(trained_shop)
    first, latest = frame.value_cutoffs[0], frame.value_cutoffs[-1]
    seasonal = replace(frame, value=np.where(frame.is_at(first), frame.value * 1.6, frame.value))
    unseen = features_at(AS_OF, 2000, seed=9)
    in_season, out_of_season = (
        fit_model(seasonal, as_of).predict(unseen).value_if_ordered.mean()
        for as_of in (first + timedelta(days=365), latest + timedelta(days=60))
    )
    # Drawn to the level of all cutoffs, as a cutoff with few spenders is: not the whole 1.6.
    assert 1.25 < in_season / out_of_season < 1.6
