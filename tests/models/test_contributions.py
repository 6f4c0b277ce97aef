"""What concepts contribute: complete, additive, and the very Shapley values of the predictor that scores."""

from itertools import combinations
from math import factorial
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from models.baselines import Formula
from models.boosting import margins
from models.concepts import CONCEPT_OF, CONCEPTS, replaced
from models.contributions import PLACES, churn_contributions, churn_log_odds
from models.expectation_model import ExpectationModel
from models.feature_matrix import FEATURES
from models.ladder import Rung
from models.offsets import COLUMNS
from models.rules import Rules
from models.serving import Predictor
from models.trained_model import TrainedModel
from models.tree_contributions import TreeContributions
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, CHURN_DAYS, VALUE_DAYS, features_at, scorer_at


@pytest.fixture(scope="module")
def model(trained_shop: Home) -> TrainedModel:
    found = scorer_at(trained_shop).predictor
    assert isinstance(found, TrainedModel)
    return found


@pytest.fixture(scope="module", params=get_args(Rung))
def predictor(request: pytest.FixtureRequest, model: TrainedModel) -> Predictor:
    others: dict[str, Predictor] = {
        "rules": Rules(CHURN_DAYS, VALUE_DAYS, 0.7),
        "formula": Formula(CHURN_DAYS, VALUE_DAYS, 2.0),
        "buy_till_you_die": ExpectationModel(
            model.expectation, CHURN_DAYS, model.churn_level, VALUE_DAYS, model.value_level, False, model.quantiles
        ),
    }
    return model if request.param == "blend" else others[request.param]


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Some of them without what a customer may lack."""
    rows = features_at(AS_OF, 200, seed=5)
    for name in ("median_gap_days", "last_gap_days", "days_since_last_refund", "last_category"):
        position = rows.schema.get_field_index(name)
        is_known = pa.array(np.arange(rows.num_rows) % 3 > 0)
        rows = rows.set_column(position, rows.schema.field(position), pc.if_else(is_known, rows[name], pa.scalar(None, rows[name].type)))
    return rows


def test_every_column_of_the_models_matrix_speaks_of_exactly_one_concept() -> None:
    columns = [name for names in CONCEPTS.values() for name in names]
    assert len(columns) == len(set(columns)) == len(CONCEPT_OF)
    assert set(columns) == {feature.name for feature in FEATURES} | set(COLUMNS)


@pytest.mark.parametrize("typical", [0, 1, 42])
def test_contributions_add_up_to_the_difference_of_the_log_odds(predictor: Predictor, rows: pa.Table, typical: int) -> None:
    one = rows.slice(typical, 1)
    found = churn_contributions(predictor, one).of(rows)
    assert found.sum(axis=0) == pytest.approx(churn_log_odds(predictor, rows) - churn_log_odds(predictor, one), abs=1e-4)
    assert found[:, typical] == pytest.approx(np.zeros(len(CONCEPTS)))
    assert np.abs(found).max() > 0.5


def test_trees_contribute_their_shapley_values(model: TrainedModel, rows: pa.Table) -> None:
    """Against all 1,024 customers made of parts of two."""
    matrix, columns, _ = model.seen(rows)
    concepts = [PLACES[CONCEPT_OF[name]] for name in columns.names]
    players = range(len(CONCEPTS))
    for trees in (model.churn.on_offset, model.churn.alone):
        found = TreeContributions(trees, concepts, matrix[:1]).of(matrix[1:6], len(CONCEPTS))
        for row in range(5):
            coalitions = np.array([[number >> player & 1 for player in players] for number in range(2 ** len(players))], dtype=bool)
            parts = np.where(coalitions[:, concepts], matrix[1 + row], matrix[0])
            worth = margins(trees, parts, np.zeros(len(parts)), columns)
            for player in players:
                others = [one for one in players if one != player]
                exact = 0.0
                for size in range(len(others) + 1):
                    weight = factorial(size) * factorial(len(others) - size) / factorial(len(players))
                    numbers = [sum(1 << one for one in chosen) for chosen in combinations(others, size)]
                    exact += weight * sum(worth[number | 1 << player] - worth[number] for number in numbers)
                assert found[player, row] == pytest.approx(exact, abs=1e-5)
        assert np.abs(found[PLACES["category"]]).max() > 0.01


def test_a_customer_gets_the_same_contributions_alone_in_a_batch_and_in_any_order(predictor: Predictor, rows: pa.Table) -> None:
    contributions = churn_contributions(predictor, rows.slice(7, 1))
    whole = contributions.of(rows)
    order = np.random.default_rng(1).permutation(rows.num_rows)
    assert np.array_equal(contributions.of(rows.take(order)), whole[:, order])
    assert np.array_equal(np.hstack([contributions.of(rows.slice(row, 1)) for row in range(10)]), whole[:, :10])
    assert contributions.of(rows.slice(0, 0)).shape == (len(CONCEPTS), 0)


@pytest.mark.parametrize("concept", CONCEPTS)
def test_what_a_concept_does_not_speak_of_stays(rows: pa.Table, concept: str) -> None:
    typical = rows.slice(3, 1)
    without = replaced(rows, {concept}, typical)
    for name in rows.column_names:
        if name in CONCEPTS[concept] and name not in ("customer_age_days", "active_span_days"):
            assert set(without[name].to_pylist()) == {typical[name][0].as_py()}, name
        elif name not in ("customer_age_days", "active_span_days"):
            assert without[name].equals(rows[name]), name
    age, span = (np.array(without[name]) for name in ("customer_age_days", "active_span_days"))
    own_age, own_span = (np.array(rows[name]) for name in ("customer_age_days", "active_span_days"))
    assert (span <= age).all()
    if concept != "silence":
        assert np.array_equal(age - span, own_age - own_span)
