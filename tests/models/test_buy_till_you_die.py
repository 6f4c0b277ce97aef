"""The buy-till-you-die models against published estimates, numerical integration, hypergeometric forms and simulation."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import betaln, gammaln, hyp2f1

from models.buy_till_you_die import (
    NEVER,
    BgNbd,
    GammaGamma,
    MbgNbd,
    OrderHistories,
    ParetoNbd,
    PurchaseModel,
    fit_gamma_gamma,
    fit_purchase_model,
)
from tests.models.purchase_models import MODELS, WEEKS, histories, positive, purchase_models

# Published estimates


class CdnowSample:
    """The tenth of CDNOW that the papers fit: 39 weeks to learn from, 39 to predict."""

    def __init__(self, path: Path):
        with gzip.open(path) as file:
            table = pyarrow.csv.read_csv(file)
        table = table.group_by(["customer_id", "date"]).aggregate([("amount", "sum")])
        day = pc.cast(table["date"], "int32").to_numpy()
        customer = np.unique(table["customer_id"].to_numpy(), return_inverse=True)[1]
        end = np.datetime64("1997-09-30").astype("datetime64[D]").astype(int)
        self.count = customer.max() + 1
        first = np.full(self.count, end + 1)
        np.minimum.at(first, customer, day)
        last = np.zeros(self.count, dtype=np.int64)
        seen = day <= end
        np.maximum.at(last, customer[seen], day[seen])
        self.histories = OrderHistories.of(np.bincount(customer[seen]) - 1, (last - first) / 7, (end - first) / 7)
        self.later_orders = np.bincount(customer[~seen], minlength=self.count)
        is_repeat = seen & (day > first[customer])
        spent = np.bincount(customer[is_repeat], table["amount_sum"].to_numpy()[is_repeat], self.count)
        self.repeats = np.bincount(customer[is_repeat], minlength=self.count)
        self.mean_repeat_value = spent / np.maximum(self.repeats, 1)


@pytest.fixture
def cdnow(real_orders: Path) -> CdnowSample:
    return CdnowSample(real_orders / "cdnow_sample.csv.gz")


@pytest.mark.parametrize(
    ("kind", "published", "log_likelihood", "correlation"),
    [
        # Fader, Hardie and Lee (2005), table 2
        (BgNbd, {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4, 0.626),
        (ParetoNbd, {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0, 0.630),
    ],
)
def test_published_estimates_on_cdnow(
    cdnow: CdnowSample, kind: type[PurchaseModel], published: dict[str, float], log_likelihood: float, correlation: float
) -> None:
    assert cdnow.count == 2357
    fit = fit_purchase_model(kind, cdnow.histories)
    assert fit.is_sound
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=0.06)
    assert fit.model.to_dict() == pytest.approx(published, abs=0.0015)
    expected = fit.model.expected_orders(cdnow.histories, WEEKS)
    assert np.corrcoef(expected, cdnow.later_orders)[0, 1] == pytest.approx(correlation, abs=0.002)


def test_modified_model_fits_cdnow_as_well_as_the_original(cdnow: CdnowSample) -> None:
    fit = fit_purchase_model(MbgNbd, cdnow.histories)
    assert fit.is_sound
    assert fit.log_likelihood == pytest.approx(-9582.1, abs=0.1)
    assert np.corrcoef(fit.model.expected_orders(cdnow.histories, WEEKS), cdnow.later_orders)[0, 1] > 0.62


def test_published_gamma_gamma_on_cdnow(cdnow: CdnowSample) -> None:
    """Fader and Hardie (2013): p 6.25, q 3.74, γ 15.44 over 946 customers who came again; shop's mean 35.2."""
    fit = fit_gamma_gamma(cdnow.mean_repeat_value, cdnow.repeats)
    assert fit.customers_count == 946
    assert fit.is_sound
    assert fit.model.to_dict() == pytest.approx({"p": 6.25, "q": 3.74, "gamma": 15.44}, abs=0.006)
    assert fit.model.expected_mean_spend(0.0, 0)[0] == pytest.approx(35.2, abs=0.1)
    assert fit.model.mean_spend == pytest.approx(fit.model.expected_mean_spend(99.0, 0)[0])


# Likelihoods and their derivatives


def _mixed(model: PurchaseModel, x: int, span: float, age: float) -> float:
    """The likelihood by integration over the two laws of heterogeneity, from the models' definitions."""

    def orders(rate: float, until: float) -> float:
        log = model.r * np.log(model.alpha) - gammaln(model.r) + (model.r + x - 1) * np.log(rate) - rate * (model.alpha + until)
        return float(np.exp(log))

    if isinstance(model, ParetoNbd):

        def integrand(dropout: float, rate: float) -> float:
            log_law = model.s * np.log(model.beta) - gammaln(model.s) + (model.s - 1) * np.log(dropout) - dropout * model.beta
            alive = rate / (rate + dropout) * np.exp(-dropout * age) * orders(rate, age)
            gone = dropout / (rate + dropout) * np.exp(-dropout * span) * orders(rate, span)
            return float(np.exp(log_law) * (alive + gone))

        return float(dblquad(integrand, 0, 40 / model.alpha, 0, 40 / model.beta, epsabs=0, epsrel=1e-7)[0])
    assert isinstance(model, BgNbd | MbgNbd)
    chances = x + (1 if isinstance(model, MbgNbd) else 0)

    def mixed(dropout: float, rate: float) -> float:
        law = np.exp((model.a - 1) * np.log(dropout) + (model.b - 1) * np.log1p(-dropout) - betaln(model.a, model.b))
        gone = dropout * (1 - dropout) ** (chances - 1) * orders(rate, span) if chances else 0.0
        return float(law * ((1 - dropout) ** chances * orders(rate, age) + gone))

    return float(dblquad(mixed, 0, 60 / model.alpha, 0, 1, epsabs=0, epsrel=1e-7)[0])


@pytest.mark.parametrize("model", [BgNbd(1.3, 4.4, 1.8, 2.4), MbgNbd(1.5, 6.2, 1.9, 1.6), ParetoNbd(1.5, 10.6, 1.6, 11.7)])
@pytest.mark.parametrize(("x", "span", "age"), [(0, 0.0, 12.0), (2, 5.0, 12.0), (3, 12.0, 12.0)])
def test_likelihood_is_the_mixture_of_its_definition(model: PurchaseModel, x: int, span: float, age: float) -> None:
    assert np.exp(model.log_likelihood(OrderHistories.of(x, span, age))[0]) == pytest.approx(_mixed(model, x, span, age), rel=1e-5)


@given(model=purchase_models(), data=histories())
def test_gradients_are_those_of_the_likelihood(model: PurchaseModel, data: OrderHistories) -> None:
    value, gradient = model.total_log_likelihood(data)
    assert value == pytest.approx(float(data.weights @ model.log_likelihood(data)), rel=1e-12)
    for index, derivative in enumerate(gradient):
        step = np.zeros(len(gradient))
        step[index] = 1e-5 * model.values[index]
        kind = type(model)
        above = kind.of_values(model.values + step).total_log_likelihood(data)[0]
        below = kind.of_values(model.values - step).total_log_likelihood(data)[0]
        assert (above - below) / (2 * step[index]) == pytest.approx(derivative, rel=1e-4, abs=1e-6 * (1 + abs(value)) / model.values[index])


@given(
    model=st.builds(GammaGamma, p=positive, q=st.floats(1.05, 20.0), gamma=positive),
    rows=st.lists(st.tuples(st.integers(1, 30), st.floats(0.01, 500.0), st.floats(0.5, 9.0)), min_size=1, max_size=6),
)
def test_gamma_gamma_gradient(model: GammaGamma, rows: list[tuple[int, float, float]]) -> None:
    count, mean, weights = np.array(rows, dtype=np.float64).T
    value, gradient = model.total_log_likelihood(mean, count, weights)
    assert value == pytest.approx(float(weights @ model.log_likelihood(mean, count)), rel=1e-9, abs=1e-9)
    for index, derivative in enumerate(gradient):
        step = np.zeros(3)
        step[index] = 1e-5 * model.values[index]
        above = GammaGamma.of_values(model.values + step).total_log_likelihood(mean, count, weights)[0]
        below = GammaGamma.of_values(model.values - step).total_log_likelihood(mean, count, weights)[0]
        assert (above - below) / (2 * step[index]) == pytest.approx(derivative, rel=1e-4, abs=1e-6 * (1 + abs(value)) / model.values[index])


def _hypergeometric_log_likelihood(model: ParetoNbd, x: float, span: float, age: float) -> float:
    """Fader and Hardie (2005), A Note on Deriving the Pareto/NBD Model, equations 18 to 20."""
    r, alpha, s, beta = model.values
    larger, gap = max(alpha, beta), abs(alpha - beta)
    second = s + 1 if alpha >= beta else r + x

    def term(t: float) -> float:
        return float(hyp2f1(r + s + x, second, r + s + x + 1, gap / (larger + t)) / (larger + t) ** (r + s + x))

    tail = s / (r + s + x) * (term(span) - term(age))
    head = (alpha + age) ** -(r + x) * (beta + age) ** -s
    return float(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(head + tail))


@given(values=st.tuples(positive, positive, positive, positive), data=histories(most_repeats=8))
def test_pareto_likelihood_is_the_hypergeometric_one(values: tuple[float, float, float, float], data: OrderHistories) -> None:
    model = ParetoNbd(*values)
    found = model.log_likelihood(data)
    for row in range(len(data)):
        x, span, age = data.repeat_order_days_count[row], data.active_span[row], data.age[row]
        assert found[row] == pytest.approx(_hypergeometric_log_likelihood(model, x, span, age), rel=1e-6, abs=1e-6)


def test_pareto_likelihood_is_smooth_where_the_scales_meet() -> None:
    data = OrderHistories.of([0, 3, 400], [0, 20, 700], [30, 30, 730])
    at = [ParetoNbd(0.5, 10.0, 0.6, 10.0 + gap).log_likelihood(data) for gap in (-1e-9, 0.0, 1e-9)]
    np.testing.assert_allclose(at[0], at[1], rtol=1e-9)
    np.testing.assert_allclose(at[2], at[1], rtol=1e-9)


# What is expected of customers


@given(values=st.tuples(positive, positive, st.floats(1.1, 5.0), positive), data=histories(most_repeats=8), horizon=st.floats(0.1, 300.0))
def test_expected_orders_are_the_hypergeometric_ones(
    values: tuple[float, float, float, float], data: OrderHistories, horizon: float
) -> None:
    """Fader, Hardie and Lee (2005), equation 10."""
    model = BgNbd(*values)
    r, alpha, a, b = values
    x, age = data.repeat_order_days_count, data.age
    share = horizon / (alpha + age + horizon)
    head = (a + b + x - 1) / (a - 1)
    by_formula = head * (1 - ((alpha + age) / (alpha + age + horizon)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, share))
    np.testing.assert_allclose(model.expected_orders(data, horizon), by_formula * model.probability_alive(data), rtol=1e-5)


@pytest.mark.parametrize("a", [1e-4, 0.3, 1.0, 1.0 + 1e-9, 40.0])
def test_expected_orders_do_not_depend_on_the_singularity_of_the_formula(a: float) -> None:
    """By Monte Carlo of a newcomer's orders, exact to its standard error, for the formula's pole at a = 1 and beyond."""
    generator = np.random.default_rng(5)
    model, data = MbgNbd(0.7, 3.0, a, 0.9), OrderHistories.of(2, 4.0, 6.0)
    p = np.maximum(generator.beta(a, 3.9, 400_000), 1e-300)
    orders = -np.expm1(-2.7 * np.log1p(p * 50.0 / 9.0)) / p
    expected = model.expected_orders_if_alive(data, np.array([50.0]))[0]
    assert expected == pytest.approx(orders.mean(), abs=4 * orders.std() / np.sqrt(len(p)) + 1e-9)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_predictions_come_true_in_simulation(model: PurchaseModel) -> None:
    """Of simulated customers, the share alive, the share without order and the mean of orders, overall and by repeats."""
    generator = np.random.default_rng(11)
    customers = model.sample(generator.integers(5, 60, 100_000), 26.0, generator)
    data = customers.histories
    silent, alive = model.probability_of_no_order(data, 26.0), model.probability_alive(data)
    orders, soon = model.expected_orders(data, 26.0), model.probability_of_order(data, 4.0)
    bins = np.minimum(data.repeat_order_days_count, 4).astype(int)
    for part in (bins >= 0, *(bins == number for number in range(5))):
        count = part.sum()
        assert count > 2000
        for predicted, happened in (
            (silent, customers.orders_in_horizon == 0),
            (alive, customers.is_alive),
            (soon, customers.time_to_next_order <= 4.0),
            (orders, customers.orders_in_horizon),
        ):
            tolerance = 4 * (happened[part] - predicted[part]).std() / np.sqrt(count)
            assert predicted[part].mean() == pytest.approx(happened[part].mean(), abs=tolerance)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_known_parameters_are_recovered(model: PurchaseModel) -> None:
    generator = np.random.default_rng(3)
    customers = model.sample(generator.integers(20, 104, 20_000), 0.0, generator)
    fit = fit_purchase_model(type(model), customers.histories)
    assert fit.is_sound
    for name, true in model.to_dict().items():
        error = fit.standard_errors[name]
        assert error < 0.5 * true
        assert abs(fit.model.to_dict()[name] - true) < 3.5 * error, name


def test_gamma_gamma_is_recovered_and_its_mean_comes_true() -> None:
    generator = np.random.default_rng(4)
    model = GammaGamma(6.25, 3.74, 15.44)
    count = generator.integers(1, 12, 30_000)
    rate = generator.gamma(model.q, 1 / model.gamma, len(count))
    mean = generator.gamma(model.p * count, 1 / (rate * count))
    fit = fit_gamma_gamma(mean, count)
    assert fit.is_sound
    for name, true in model.to_dict().items():
        assert abs(fit.model.to_dict()[name] - true) < 3.5 * fit.standard_errors[name], name
    expected, actual = model.expected_mean_spend(mean, count), model.p / rate
    for part in (count == 1, count > 8, mean > np.quantile(mean, 0.9)):
        assert expected[part].mean() == pytest.approx(actual[part].mean(), abs=4 * (actual - expected)[part].std() / np.sqrt(part.sum()))


@given(model=purchase_models(), data=histories(), probability=st.floats(0.01, 0.99))
def test_time_to_next_order_inverts_its_probability(model: PurchaseModel, data: OrderHistories, probability: float) -> None:
    times = model.time_to_next_order(data, probability)
    comes = np.isfinite(times)
    if comes.any():
        reached = model.probability_of_order(data.where(comes), times[comes])
        np.testing.assert_allclose(reached, probability, atol=1e-8)
    within_ages = model.probability_of_order(data, 1e6)
    assert (within_ages[~comes] <= probability + 1e-9).all()


def test_who_is_gone_never_orders() -> None:
    model = BgNbd(0.243, 4.414, 0.793, 2.426)
    gone = OrderHistories.of(20, 10.0, 500.0)
    assert model.probability_alive(gone)[0] < 1e-6
    assert model.time_to_next_order(gone, 0.1)[0] == NEVER
    assert model.time_to_next_order(OrderHistories.of(20, 500.0, 500.0), 0.1)[0] < 5


# Properties that every model has


@given(model=purchase_models(), data=histories(), later=st.floats(0.0, 1.0))
def test_who_ordered_later_is_more_likely_alive(model: PurchaseModel, data: OrderHistories, later: float) -> None:
    came_again = data.where(data.repeat_order_days_count > 0)
    span = came_again.active_span + later * (came_again.age - came_again.active_span)
    moved = OrderHistories.of(came_again.repeat_order_days_count, np.minimum(span, came_again.age), came_again.age)
    assert (model.probability_alive(moved) >= model.probability_alive(came_again) - 1e-9).all()


@given(model=purchase_models(), data=histories(), horizon=st.floats(0.0, 400.0), longer=st.floats(0.0, 400.0))
def test_a_longer_horizon_holds_more(model: PurchaseModel, data: OrderHistories, horizon: float, longer: float) -> None:
    silent, later = model.probability_of_no_order(data, horizon), model.probability_of_no_order(data, horizon + longer)
    orders = model.expected_orders(data, horizon)
    assert (later <= silent + 1e-9).all()
    assert (model.expected_orders(data, horizon + longer) >= orders * (1 - 1e-9)).all()
    assert ((silent >= 0) & (silent <= 1)).all()
    assert (1 - silent <= model.probability_alive(data) + 1e-9).all()
    assert (1 - silent <= orders * (1 + 1e-7) + 1e-12).all()  # Markov's inequality


@given(model=purchase_models(), data=histories(), unit=st.floats(0.1, 30.0))
def test_the_unit_of_time_changes_nothing(model: PurchaseModel, data: OrderHistories, unit: float) -> None:
    other, moved = model.in_unit(unit), data.in_unit(unit)
    np.testing.assert_allclose(other.probability_alive(moved), model.probability_alive(data), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(other.expected_orders(moved, 26.0 / unit), model.expected_orders(data, 26.0), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_extreme_customers_have_finite_figures(model: PurchaseModel) -> None:
    years = 52 * 40.0
    data = OrderHistories.of(
        [0, 0, 0, 1, 1, 10_000, 10_000, 10_000, 3],
        [0, 0, 0, 1e-9, 2080, years, years / 2, 1.0, 1e-6],
        [0, 1e-9, years, years, 2080, years, years, years, 1e-6],
    )
    horizons = (0.0, 1e-9, 52.0, years, 1e6)
    for figures in (
        model.log_likelihood(data),
        model.total_log_likelihood(data)[1],
        model.probability_alive(data),
        *(model.expected_orders(data, horizon) for horizon in horizons),
        *(model.probability_of_no_order(data, horizon) for horizon in horizons),
    ):
        assert np.isfinite(figures).all()
    assert not np.isnan(model.time_to_next_order(data, 0.3)).any()
    # 250 orders a year up to now go on; half a lifetime of silence after that is the end.
    assert model.expected_orders(data, 52.0)[5] == pytest.approx(250, rel=0.02)
    assert model.probability_alive(data)[6] < 1e-12
    assert (model.probability_of_no_order(data, 0.0) == 1).all()


def test_equal_histories_count_once() -> None:
    generator = np.random.default_rng(8)
    customers = MODELS[1].sample(generator.integers(1, 40, 5_000), 0.0, generator).histories
    span = np.ceil(customers.active_span)
    data = OrderHistories.of(np.minimum(customers.repeat_order_days_count, span), np.minimum(span, customers.age), customers.age)
    groups = data.grouped()
    assert len(groups) < len(data) / 3
    assert groups.customers_count == 5_000
    assert groups.weights @ MODELS[1].log_likelihood(groups) == pytest.approx(MODELS[1].log_likelihood(data).sum())
    one, other = fit_purchase_model(MbgNbd, data), fit_purchase_model(MbgNbd, groups)
    assert one.model == other.model
    doubled = OrderHistories.of(data.repeat_order_days_count, data.active_span, data.age, 4.0)
    twice = fit_purchase_model(MbgNbd, doubled)
    assert twice.model.to_dict() == pytest.approx(one.model.to_dict(), rel=1e-3)
    assert twice.standard_errors["r"] == pytest.approx(one.standard_errors["r"] / 2, rel=0.01)


def test_a_sample_stands_for_the_whole() -> None:
    generator = np.random.default_rng(9)
    data = MODELS[1].sample(generator.uniform(1, 100, 40_000), 0.0, generator).histories
    sample = data.sampled(4_000)
    assert len(sample) == sample.customers_count == 4_000
    for name in ("age", "repeat_order_days_count", "active_span"):
        assert getattr(sample, name).mean() == pytest.approx(getattr(data, name).mean(), rel=0.06), name
    assert data.sampled(40_000) is data
