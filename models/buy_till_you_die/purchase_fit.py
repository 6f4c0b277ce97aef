"""Fitting a model of purchases to a shop of any size."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from models.buy_till_you_die.maximum_likelihood import Fit, Likelihood, maximise, remarks_on
from models.buy_till_you_die.order_histories import OrderHistories
from models.buy_till_you_die.purchase_model import PurchaseModel

AnyPurchaseModel = TypeVar("AnyPurchaseModel", bound=PurchaseModel)

CUSTOMERS_TO_CHOOSE_START = 5_000


def fit_purchase_model(
    kind: type[AnyPurchaseModel], histories: OrderHistories, *, prior_deviation: float | None = None
) -> Fit[AnyPurchaseModel]:
    """Fit `kind` by maximum likelihood; equal histories are counted once, with their weight.

    A shop of more than `kind.customers_to_fit` customers is fitted on a systematic sample of so many. Whatever the data,
    the fit is finite: read `Fit.is_sound` before trusting it.

    Args:
        prior_deviation: standard deviation of a normal prior on each log parameter around those of a usual shop; None for
            none. 2 steadies a shop of a few hundred customers and is not felt in one of thousands.
    """
    sample = histories.sampled(kind.customers_to_fit).grouped()
    customers = sample.customers_count
    if customers <= 0:
        start = kind.starts()[0]
        return Fit(start, 0.0, dict.fromkeys(kind.names(), np.inf), 0.0, 0, False, ("there are no customers",))
    remarks = []
    if not (sample.repeat_order_days_count > 0).any():
        remarks.append("nobody ordered again: how often customers order cannot be told from how soon they drop out")
    if len(sample) == 1:
        remarks.append("all customers have the same history")
    unit = float(sample.weights @ sample.age / sample.customers_count) or 1.0
    scaled = sample.in_unit(unit)
    rough = scaled.sampled(CUSTOMERS_TO_CHOOSE_START).grouped()
    model, has_converged, errors, at_bound = maximise(
        kind.starts(),
        Likelihood(lambda model: model.total_log_likelihood(rough), rough.customers_count),
        Likelihood(lambda model: model.total_log_likelihood(scaled), scaled.customers_count),
        prior_deviation,
    )
    remarks += remarks_on(at_bound, has_converged)
    model = model.in_unit(1.0 / unit)
    in_time = [unit if name in kind.unit_parameters else 1.0 for name in kind.names()]
    named = dict(zip(kind.names(), (errors * in_time).tolist(), strict=True))
    total = float(sample.weights @ model.log_likelihood(sample))
    return Fit(model, total, named, customers, len(sample), has_converged, tuple(remarks))
