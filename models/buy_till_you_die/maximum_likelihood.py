"""Maximum likelihood over the logarithms of positive parameters, with an honest word on how far the result can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import minimize

from models.buy_till_you_die.parameter_set import ParameterSet
from models.prediction import Figures

Model = TypeVar("Model", bound=ParameterSet)

BOUND = float(np.log(1e4))
"""Scaled parameters stay within a factor of 10,000 of 1: beyond it the likelihood is flat, and the model a limit of itself."""

LARGEST_GRADIENT = 1e-4
"""Of the mean log likelihood by a log parameter, at what counts as a maximum."""

STEP = 1e-4


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """A fitted model and how it came about.

    Attributes:
        log_likelihood: of all customers that it was fitted on, weights applied, the prior left out.
        standard_errors: by parameter, from the observed information; infinite where the data do not tell.
        customers_count: customers that it was fitted on: all, or a systematic sample of so many.
        rows_count: distinct histories among them.
        remarks: what is wrong with the data or the result, in words; empty for a sound fit.
    """

    model: Model
    log_likelihood: float
    standard_errors: dict[str, float] = field(hash=False)
    customers_count: float
    rows_count: int
    has_converged: bool
    remarks: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return self.has_converged and not self.remarks


@dataclass(frozen=True)
class Likelihood(Generic[Model]):
    """A log likelihood, weights applied, and its derivatives by the parameters; `customers_count` is the sum of the weights."""

    value_and_gradient: Callable[[Model], tuple[float, Figures]]
    customers_count: float


def maximise(
    starts: Sequence[Model], rough: Likelihood[Model], full: Likelihood[Model], prior_deviation: float | None
) -> tuple[Model, bool, Figures, list[str]]:
    """The model of the highest likelihood: from all starts on a rough likelihood, then from the best on the full one.

    Args:
        starts: at least one; parameters about 1, which the caller brings about by the unit of the data.
        rough: of fewer customers, to choose among the starts.
        prior_deviation: standard deviation of a normal prior on each log parameter around the first start; None for no prior.

    Returns:
        the model; whether its gradient is that of a maximum; standard errors, shape (parameters,); the names of parameters at a bound.
    """
    kind = type(starts[0])
    floor = kind.lowest()
    centre = np.log(starts[0].values - floor)

    def loss(theta: Figures, likelihood: Likelihood[Model]) -> tuple[float, Figures]:
        with_floor = np.exp(theta)
        value, gradient = likelihood.value_and_gradient(kind.of_values(floor + with_floor))
        gradient = gradient * with_floor
        if prior_deviation is not None:
            distance = (theta - centre) / prior_deviation
            value, gradient = value - 0.5 * float(distance @ distance), gradient - distance / prior_deviation
        return -value / likelihood.customers_count, -gradient / likelihood.customers_count

    def descend(start: Figures, likelihood: Likelihood[Model], precision: float) -> tuple[float, Figures]:
        found = minimize(
            loss,
            start,
            args=(likelihood,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-BOUND, BOUND)] * len(start),
            options={"maxiter": 300, "ftol": precision, "gtol": 1e-7, "maxcor": 20},
        )
        return float(found.fun), found.x

    candidates = [descend(np.log(start.values - floor), rough, 1e-9) for start in starts]
    _, theta = min(candidates, key=lambda candidate: candidate[0])
    _, theta = descend(theta, full, 1e-13)

    gradient = loss(theta, full)[1]
    is_low, is_high = theta <= -BOUND + 1e-9, theta >= BOUND - 1e-9
    pull = np.where((is_low & (gradient > 0)) | (is_high & (gradient < 0)), 0.0, gradient)
    has_converged = bool(np.abs(pull).max() <= LARGEST_GRADIENT)
    at_bound = [name for name, is_at in zip(kind.names(), is_low | is_high, strict=True) if is_at]

    free = np.flatnonzero(~(is_low | is_high))
    errors = np.full(len(theta), np.inf)
    if len(free):
        steps = np.eye(len(theta))[free] * STEP
        curvature = np.array([(loss(theta + step, full)[1] - loss(theta - step, full)[1])[free] for step in steps]) / (2 * STEP)
        information = full.customers_count * 0.5 * (curvature + curvature.T)
        if np.linalg.eigvalsh(information).min() > 0:
            errors[free] = np.sqrt(np.diag(np.linalg.inv(information))) * np.exp(theta[free])
    return kind.of_values(floor + np.exp(theta)), has_converged, errors, at_bound


def remarks_on(at_bound: list[str], has_converged: bool) -> list[str]:
    """What `maximise` found out, in words."""
    remarks = [f"the data do not tell {name}: it stands at its bound" for name in at_bound]
    if not has_converged:
        remarks.append("the search stopped before the maximum of the likelihood")
    return remarks
