"""How the buy-till-you-die models are fitted, stored and refused: the search for the maximum, and data that tell little or nothing."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from models.buy_till_you_die import (
    BgNbd,
    GammaGamma,
    OrderHistories,
    PurchaseModel,
    fit_gamma_gamma,
    fit_purchase_model,
)
from models.buy_till_you_die.maximum_likelihood import Likelihood, maximise, remarks_on
from models.buy_till_you_die.parameter_set import ParameterSet
from regulars.errors import ArtefactError, InputError
from tests.models.purchase_models import KINDS, MODELS

# The search for the maximum


@dataclass(frozen=True)
class Toy(ParameterSet):
    size: float

    unit_parameters: ClassVar[tuple[str, ...]] = ()


def _gaussian(customers: float) -> Likelihood[Toy]:
    """A log likelihood that is a parabola in the logarithm of the size, with its top at 2."""
    return Likelihood(
        lambda model: (-0.5 * customers * (np.log(model.size) - 2) ** 2, np.array([customers * (2 - np.log(model.size)) / model.size])),
        customers,
    )


def test_prior_and_likelihood_meet_by_their_weights() -> None:
    starts = [Toy(1.0), Toy(30.0)]
    model, has_converged, errors, at_bound = maximise(starts, _gaussian(4.0), _gaussian(4.0), prior_deviation=0.5)
    assert has_converged
    assert not at_bound
    assert np.log(model.size) == pytest.approx(2 * 4 / (4 + 4), abs=1e-6)
    assert errors[0] == pytest.approx(model.size / np.sqrt(4 + 4), rel=1e-4)
    free, _, errors, _ = maximise(starts, _gaussian(4.0), _gaussian(4.0), prior_deviation=None)
    assert np.log(free.size) == pytest.approx(2.0, abs=1e-6)
    assert errors[0] == pytest.approx(free.size / 2, rel=1e-4)


def test_a_search_that_finds_no_maximum_says_so() -> None:
    """A value that does not follow its gradient stops the line search where it stands."""
    stuck = Likelihood[Toy](lambda model: (0.0, np.array([1.0])), 1.0)
    model, has_converged, _, at_bound = maximise([Toy(1.0)], stuck, stuck, prior_deviation=None)
    assert not has_converged
    assert np.isfinite(model.size)
    assert any("stopped" in remark for remark in remarks_on(at_bound, has_converged))


def test_a_rising_likelihood_ends_at_the_bound() -> None:
    rising = Likelihood[Toy](lambda model: (float(np.log(model.size)), np.array([1 / model.size])), 1.0)
    model, has_converged, errors, at_bound = maximise([Toy(1.0)], rising, rising, prior_deviation=None)
    assert at_bound == ["size"]
    assert model.size == pytest.approx(1e4)
    assert errors[0] == np.inf
    assert remarks_on(at_bound, has_converged)


# Data that tell little


DEGENERATE = {
    "nobody": OrderHistories.of([], [], []),
    "one customer who never came again": OrderHistories.of(0, 0, 30),
    "one customer": OrderHistories.of(4, 20, 30),
    "one customer of no age": OrderHistories.of(0, 0, 0),
    "nobody came again": OrderHistories.of(np.zeros(500), np.zeros(500), np.arange(500)),
    "all the same": OrderHistories.of(np.full(500, 3), np.full(500, 30.0), np.full(500, 40.0)),
    "weights of nothing": OrderHistories.of([1, 2], [1, 2], [3, 4], 0),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_shops_get_a_finite_fit_with_a_remark(kind: type[PurchaseModel], name: str) -> None:
    for prior_deviation in (None, 2.0):
        fit = fit_purchase_model(kind, DEGENERATE[name], prior_deviation=prior_deviation)
        assert not fit.is_sound
        assert fit.remarks
        assert np.isfinite(fit.model.values).all()
        assert np.isfinite(fit.log_likelihood)
        assert not any(np.isnan(error) for error in fit.standard_errors.values())
        some = OrderHistories.of([0, 2], [0, 10], [20, 20])
        assert np.isfinite(fit.model.expected_orders(some, 90.0)).all()
        assert np.isfinite(fit.model.probability_of_no_order(some, 90.0)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_customers_with_ten_thousand_orders_can_be_fitted(kind: type[PurchaseModel]) -> None:
    generator = np.random.default_rng(2)
    repeats = generator.integers(5_000, 10_000, 200)
    fit = fit_purchase_model(kind, OrderHistories.of(repeats, 3650 * generator.uniform(0.9, 1, 200), 3650))
    assert np.isfinite(fit.model.values).all()
    assert np.isfinite(fit.log_likelihood)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_steadies_a_small_shop_and_is_not_felt_in_a_large_one(kind: type[PurchaseModel]) -> None:
    model = next(model for model in MODELS if isinstance(model, kind))
    generator = np.random.default_rng(6)
    small, large = (model.sample(generator.integers(5, 40, count), 0.0, generator).histories for count in (30, 10_000))
    drawn = np.log(fit_purchase_model(kind, small, prior_deviation=1.0).model.values)
    free = np.log(fit_purchase_model(kind, small).model.values)
    assert np.abs(drawn - np.log(model.values)).max() <= np.abs(free - np.log(model.values)).max()
    with_prior, without = (fit_purchase_model(kind, large, prior_deviation=deviation) for deviation in (2.0, None))
    for name, error in without.standard_errors.items():
        assert abs(with_prior.model.to_dict()[name] - without.model.to_dict()[name]) < 0.5 * error, name


@pytest.mark.parametrize(
    ("mean", "count", "remark"),
    [
        ([], [], "no customer has an order value"),
        ([0.0, -3.0], [1, 2], "no customer has an order value"),
        ([5.0], [0], "no customer has an order value"),
        ([20.0], [3], "the same"),
        ([20.0] * 50, [3] * 50, "the same"),
        ([10.0, 20.0, 30.0, 25.0], [1, 1, 1, 1], "two orders"),
        ([0.0, 20.0, 30.0, 25.0], [1, 1, 4, 1], "left out"),
    ],
)
def test_degenerate_order_values_get_a_finite_fit_with_a_remark(mean: list[float], count: list[int], remark: str) -> None:
    for prior_deviation in (None, 2.0):
        fit = fit_gamma_gamma(mean, count, prior_deviation=prior_deviation)
        assert not fit.is_sound
        assert any(remark in text for text in fit.remarks)
        assert np.isfinite(fit.model.values).all()
        assert np.isfinite(fit.log_likelihood)
        assert np.isfinite(fit.model.expected_mean_spend([0.0, 10.0, -5.0, 1e9], [0, 1, 2, 10_000])).all()


def test_few_orders_draw_the_mean_to_the_shops() -> None:
    model = GammaGamma(6.25, 3.74, 15.44)
    expected = model.expected_mean_spend(100.0, [0, 1, 5, 1000])
    assert expected[0] == pytest.approx(model.mean_spend)
    assert (np.diff(expected) > 0).all()
    assert expected[3] == pytest.approx(100.0, rel=0.01)


@pytest.mark.parametrize(
    ("x", "span", "age", "rule"),
    [
        (-1, 0, 5, "repeat_order_days_count >= 0"),
        (1, 6, 5, "active_span <= age"),
        (0, 3, 5, "exactly where"),
        (2, 0, 5, "exactly where"),
        (1, np.nan, 5, "finite"),
    ],
)
def test_impossible_histories_are_refused(x: float, span: float, age: float, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        OrderHistories.of([0, x], [0, span], [5, age])


def test_histories_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="differ in length"):
        OrderHistories.of([0, 1], [0, 1, 2], [3])


# Storing


@pytest.mark.parametrize("model", [*MODELS, GammaGamma(6.25, 3.74, 15.44)], ids=lambda model: type(model).__name__)
def test_models_survive_json(model: PurchaseModel | GammaGamma) -> None:
    assert type(model).from_dict(json.loads(json.dumps(model.to_dict()))) == model


@pytest.mark.parametrize(
    "stored",
    [
        {"r": 1.0, "alpha": 1.0, "a": 1.0},
        {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 0.0},
        {"r": 1.0, "alpha": "1", "a": 1.0, "b": 1.0},
        {"r": float("nan"), "alpha": 1.0, "a": 1.0, "b": 1.0},
        {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": True},
    ],
)
def test_a_stored_model_that_is_none_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ArtefactError, match="BgNbd"):
        BgNbd.from_dict(stored)


def test_gamma_gamma_without_a_mean_is_refused() -> None:
    with pytest.raises(ArtefactError, match="above 1"):
        GammaGamma.from_dict({"p": 1.0, "q": 1.0, "gamma": 1.0})
