"""Which members the blend is the mean of: the usual ones, unless the past says otherwise by more than chance and than a trifle."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.boosting import margins
from models.churn import MEMBERS, USUAL, ChurnModel
from models.contributions import churn_contributions
from models.evaluation import log_loss
from models.line import Line
from models.prediction import Figures
from models.trained_model import TrainedModel
from models.training_frame import TrainingFrame
from models.weighting import Past, Weighting, Weights, blended, choose_weights, equal_weights
from regulars.home import Home
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, CHURN_DAYS, features_at, frame_of, now_of, outcomes_of, scorer_at

ROWS = 4_000
EACH = np.arange(ROWS)
PAST = Past(EACH // 400, EACH % 8)


def chosen(noise: Sequence[float], group: NDArray[np.int64] = EACH, past: Past | None = None, negligible: float = 0.002) -> Weighting:
    """The choice among members a, b, c and, not a usual one, d: the truth and noise of their own, of one kind in each group."""
    draw = np.random.default_rng(3)
    members = {name: size * draw.normal(size=ROWS)[group] for name, size in zip("abcd", noise, strict=True)}

    def losses(weights: Weights) -> Figures:
        return blended(members, weights) ** 2

    return choose_weights("abcd", "abc", past or Past(EACH, EACH), "squared error", losses, negligible)


def members_of(weighting: Weighting) -> set[str]:
    assert sum(weighting.weights.values()) == pytest.approx(1.0)
    return {member for member, weight in weighting.weights.items() if weight}


@pytest.mark.parametrize(
    ("noise", "members"),
    [
        ((1.0, 1.0, 1.0, 3.0), "abc"),
        ((1.0, 1.0, 1.0, 1.0), "abcd"),
        ((1.0, 1.0, 9.0, 9.0), "ab"),
        ((9.0, 9.0, 9.0, 0.1), "d"),
        ((9.0, 1.0, 9.0, 1.0), "bd"),
    ],
)
def test_members_that_are_truly_bad_are_left_out_and_good_ones_taken_in(noise: Sequence[float], members: str) -> None:
    found = chosen(noise)
    assert members_of(found) == set(members)
    assert found.chosen <= found.equal
    assert ("these members" if members != "abc" else "no other members") in found.because


def test_a_trifle_is_no_reason() -> None:
    assert members_of(chosen((1.0, 1.0, 2.0, 9.0))) == set("ab")
    assert members_of(chosen((1.0, 1.0, 2.0, 9.0), negligible=0.5)) == set("abc")


@pytest.mark.parametrize("group", [PAST.customers, PAST.cutoffs], ids=["customers", "cutoffs"])
def test_what_is_said_of_few_customers_or_at_few_cutoffs_may_be_chance(group: NDArray[np.int64]) -> None:
    found = chosen((1.0, 1.0, 2.0, 9.0), group)
    assert members_of(found) != set("abc"), "taken for independent rows, one would believe it"
    assert members_of(chosen((1.0, 1.0, 2.0, 9.0), group, PAST)) == set("abc")


def test_of_those_as_good_as_the_best_the_nearest_to_the_usual_is_taken() -> None:
    assert members_of(chosen((0.2, 0.2, 9.0, 0.2))) == set("abd")
    assert members_of(chosen((0.2, 0.2, 9.0, 0.2), negligible=0.01)) == set("ab")


@pytest.fixture(scope="module")
def frame(trained_shop: Home) -> TrainingFrame:
    return frame_of(trained_shop)


@pytest.fixture(scope="module")
def model(trained_shop: Home) -> TrainedModel:
    found = scorer_at(trained_shop).predictor
    assert isinstance(found, TrainedModel)
    return found


def weighed(model: TrainedModel, frame: TrainingFrame, home: Home, weights: Weights) -> TrainedModel:
    """The model with these weights of the members of churn."""
    matrix, columns, offsets = model.seen(frame.features)
    line = Line.fitted(matrix, columns.names, offsets, frame.has_churned.astype(float))
    weights_of = (weights["trees_on_offset"], weights["trees_alone"])
    trees = [booster if weight else None for weight, booster in zip(weights_of, (model.churn.on_offset, model.churn.alone), strict=True)]
    churn = ChurnModel(weights, *trees, line)
    return replace(model, churn=churn.anchored(*model.seen(now_of(home))))


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3, 0.0), (0.1, 0.2, 0.3, 0.4), (0.0, 0.5, 0.0, 0.5), (0.0, 0.0, 1.0, 0.0)])
def test_weights_are_those_of_the_prediction_of_its_artefact_and_of_the_reasons(
    model: TrainedModel, frame: TrainingFrame, trained_shop: Home, weights: Sequence[float]
) -> None:
    one = weighed(model, frame, trained_shop, dict(zip(MEMBERS, weights, strict=True)))
    rows, typical = features_at(AS_OF, 60, seed=5), features_at(AS_OF, 1, seed=6)
    matrix, columns, offsets = one.seen(rows)
    assert one.churn.line is not None
    alone = margins(model.churn.alone, matrix, np.zeros(60), columns)
    members = (
        margins(model.churn.on_offset, matrix, offsets.churn, columns),
        alone,
        one.churn.line.log_odds(matrix, columns.names, offsets),
    )
    expected = sum(weight * member for weight, member in zip(weights, (*members, offsets.churn), strict=True))
    found = one.churn_log_odds(rows)
    assert found - found[0] == pytest.approx(expected - expected[0], abs=1e-9)
    loaded = TrainedModel.from_artefact(json.loads(json.dumps(one.description())), one.files())
    assert np.array_equal(loaded.churn_log_odds(rows), found)
    parts = churn_contributions(one, typical).of(rows)
    assert parts.sum(axis=0) == pytest.approx(found - one.churn_log_odds(typical), abs=1e-4)


def test_where_order_histories_say_nothing_the_choice_finds_so_and_is_right_of_others(
    model: TrainedModel, frame: TrainingFrame, trained_shop: Home
) -> None:
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        told = warehouse.rows("select target, member, weight, equal_loss - chosen_loss > 0.01, because from models.blend_members")
    weights = {(target, member): weight for target, member, weight, *_ in told}
    assert {key for key, weight in weights.items() if weight} == {
        ("churn", "trees_on_offset"),
        ("churn", "trees_alone"),
        ("value", "hurdle_of_trees"),
        ("value", "trees_on_offset"),
    }
    assert model.churn.weights == {member: weights["churn", member] for member in MEMBERS}
    assert model.churn.line is None
    assert all(is_better and "of 400 customers at 6 past cutoffs these" in because for *_, is_better, because in told)
    others = features_at(AS_OF, 2000, seed=77)
    outcomes = outcomes_of(others, [CHURN_DAYS], seed=78)
    churned = outcomes["has_churned"].to_numpy().astype(float)
    usual = weighed(model, frame, trained_shop, equal_weights(MEMBERS, USUAL))
    losses = [log_loss(one.predict(others).churn_probability, churned) for one in (model, usual)]
    assert losses[0] < losses[1] - 0.01
