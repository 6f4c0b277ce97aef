"""The benchmark of the scoring: that what it calls the bare members are the blend's, and what it makes of seconds."""

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.scoring import BARE, BareBatch, BareMembers, Rates, measure_home, scoring_table
from models.boosting import margins
from models.trained_model import TrainedModel
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, now_of, scorer_at


@pytest.fixture(scope="module")
def model(trained_shop: Home) -> TrainedModel:
    predictor = scorer_at(trained_shop).predictor
    assert isinstance(predictor, TrainedModel)
    return predictor


@pytest.fixture(scope="module")
def batch(trained_shop: Home) -> pa.RecordBatch:
    return now_of(trained_shop).combine_chunks().to_batches()[0]


def test_the_bare_members_are_those_of_the_blend_to_the_bit(model: TrainedModel, batch: pa.RecordBatch) -> None:
    matrix, columns, offsets = model.seen(batch)
    members = BareMembers.of(model)
    *margins_of_each, churn, value = members.predict(BareBatch.of(model, batch))
    line, count = model.churn.line, len(members.boosters)
    assert count > 1
    trees = [one for one in (model.churn.on_offset, model.churn.alone, model.value.severity, model.value.tweedie) if one is not None]
    for member, found in zip(trees, margins_of_each, strict=False):
        assert np.array_equal(found.astype(np.float64), margins(member, matrix, np.zeros(len(matrix)), columns))
        assert found.std() > 0
    # A member without a weight takes no time in either.
    expected = [] if line is None else [line.log_odds(matrix, columns.names, offsets) - offsets.churn - line.weights[0]]
    assert len(margins_of_each[count:]) == len(expected)
    for found, wanted in zip(margins_of_each[count:], expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-9)
    assert np.array_equal(churn, offsets.churn)
    assert np.array_equal(value, offsets.value)


def test_all_customers_go_through_each_and_the_table_tells_their_rates(trained_shop: Home) -> None:
    rates = measure_home(trained_shop, AS_OF, rounds=1)
    assert rates.customers == 300
    assert {name: len(seconds) for name, seconds in rates.wall.items()} == {BARE: 1, "predict": 1, "score": 1}
    assert all(seconds[0] > 0 for clock in (rates.wall, rates.processor) for seconds in clock.values())

    rates = Rates(100, {BARE: [1.0, 2.0, 4.0], "score": [2.0, 2.5, 4.0]}, {BARE: [1.0] * 3, "score": [4.0] * 3})
    assert scoring_table(rates, "2 cores").splitlines()[-2:] == ["| bare members | 50 | 1.00 | 1.00 |", "| score | 40 | 0.80 | 0.25 |"]
