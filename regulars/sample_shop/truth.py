"""The truth about the sample shop's customers, which no pipeline sees and every prediction can be held against."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regulars.errors import InputError
from regulars.sample_shop.clock import ShopClock
from regulars.sample_shop.columns import TIMESTAMP, column, emails, numbers, timestamps
from regulars.sample_shop.lives import NEVER, RefundLots
from regulars.sample_shop.parameters import ShopParameters
from regulars.sample_shop.refunds import delay_days, partial_share

if TYPE_CHECKING:
    from regulars.sample_shop.shop import Shop

_PARAMETERS = b"sample_shop_parameters"
_DELAYS = 32
"""Nodes of the midpoint rule over the days from order to refund."""

TRUTH = pa.schema([
    ("person_id", pa.string()), ("account_id", pa.string()), ("email", pa.string()), ("arrived_at", TIMESTAMP),
    ("purchase_rate", pa.float64()), ("dropout_rate", pa.float64()), ("disappointed_at", TIMESTAMP), ("dropped_out_at", TIMESTAMP),
    ("mean_spend", pa.float64()),
])  # fmt: skip


def truth_of(shop: Shop) -> pa.Table:
    """One row per person, in order of arrival.

    account_id is null for those who never register; email is the normalised address of all. arrived_at is the first
    order. purchase_rate (λ) and dropout_rate (μ, before any disappointment) are per day of activity on the shop's clock;
    mean_spend is the expected net revenue of an order in currency, before refunds. disappointed_at and dropped_out_at
    are null when they do not happen while the shop is simulated. The parameters travel in the schema's metadata.
    """
    lives, opened_at = shop.lives, shop.clock.opened_at
    people = np.arange(len(lives.arrived))
    columns = [
        numbers("person", people),
        numbers("account", shop.identities.account, shop.identities.registered == NEVER),
        emails(shop.identities, people, 0),
        timestamps(opened_at, lives.arrived),
        column(lives.purchase_rate),
        column(lives.dropout_rate),
        timestamps(opened_at, lives.disappointed, lives.disappointed == NEVER),
        timestamps(opened_at, lives.dropped_out, lives.dropped_out == NEVER),
        column(lives.mean_spend / 100),
    ]
    return pa.Table.from_arrays(columns, schema=TRUTH.with_metadata({_PARAMETERS: shop.parameters.to_json()}))


def expected_outcomes(truth: pa.Table, as_of: date, horizon_days: int) -> pa.Table:
    """What is to be expected of everybody with an order before `as_of`, given the latent rates and who is still there.

    `truth` is `truth_of(shop)` or truth.parquet as read by pyarrow. The horizon runs from the start of `as_of` over
    `horizon_days` days of shop time and holds Δ days of activity. Someone gone is certain to churn and worth nothing.
    For the others, with μ as it stands at as_of (raised if they have been disappointed), no order comes before either an
    order or the dropout, so P(no order) = 1 − λ (1 − exp(−(λ + μ) Δ)) / (λ + μ) exactly. Orders are expected at λ times the
    probability to be there still, which with a share d of disappointing orders follows a chain of three states
    (content, disappointed, gone). Net revenue counts each at the mean spend, less what is expected to be refunded
    within the horizon.

    Returns one row per person, in order of arrival: person_id, is_alive (at as_of), churn_probability (no order in the
    horizon), expected_orders, expected_net_revenue (refunds known by the horizon's end subtracted).
    """
    parameters = _parameters_of(truth)
    clock = ShopClock.of(parameters)
    start = clock.seconds_at(as_of)
    arrived, disappointed, dropped_out = (_seconds(truth, name, clock) for name in ("arrived_at", "disappointed_at", "dropped_out_at"))
    has_ordered = arrived < start
    is_alive = (dropped_out >= start)[has_ordered]
    is_disappointed = (disappointed < start)[has_ordered][is_alive]
    purchase_rate, dropout_rate, mean_spend = (
        truth.column(name).to_numpy()[has_ordered][is_alive] for name in ("purchase_rate", "dropout_rate", "mean_spend")
    )
    end = clock.seconds_at(as_of + timedelta(days=horizon_days))
    activity = _activity_between(clock, start, float(end))
    lots = RefundLots(parameters)

    current = np.where(is_disappointed, parameters.disappointment_factor, 1.0) * dropout_rate
    orders_within = _OrdersWithin(purchase_rate, dropout_rate, is_disappointed, lots.disappointing_share, parameters.disappointment_factor)
    orders = orders_within(activity)
    # An order's refund is known by the end only if its delay has passed by then.
    delays = delay_days(parameters, (np.arange(_DELAYS) + 0.5) / _DELAYS)
    refunded = sum(orders_within(_activity_between(clock, start, end - delay * 86_400)) for delay in delays.tolist()) / _DELAYS
    refunded_share = lots.whole_share + lots.partial_share * partial_share()

    def of_all(values: NDArray[np.float64], of_gone: float) -> NDArray[np.float64]:
        result = np.full(len(is_alive), of_gone)
        result[is_alive] = values
        return result

    return pa.table({
        "person_id": truth.column("person_id").filter(pa.array(has_ordered)),
        "is_alive": is_alive,
        "churn_probability": of_all(1 - purchase_rate * _discounted(purchase_rate + current, activity), 1.0),
        "expected_orders": of_all(orders, 0.0),
        "expected_net_revenue": of_all(mean_spend * (orders - refunded_share * refunded), 0.0),
    })  # fmt: skip


def actual_outcomes(shop: Shop, as_of: date, horizon_days: int) -> pa.Table:
    """What the simulated future brings of everybody with an order before `as_of`; same rows as `expected_outcomes`.

    Columns: person_id, orders_count and has_churned (over the horizon; wholly refunded orders count as orders),
    net_revenue (of those orders, refunds by the horizon's end subtracted).
    """
    start, end = shop.clock.seconds_at(as_of), shop.clock.seconds_at(as_of + timedelta(days=horizon_days))
    first, last = np.searchsorted(shop.times.seconds, (start, end))
    person = shop.times.person[first:last]
    people = int(np.searchsorted(shop.lives.arrived, start))
    net = np.bincount(person, shop.baskets.net_revenue[first:last], minlength=len(shop.lives.arrived))
    refunds = shop.refunds
    counted = (refunds.order >= first) & (refunds.order < last) & (refunds.seconds < end)
    net -= np.bincount(shop.times.person[refunds.order[counted]], refunds.amount[counted], minlength=len(net))
    orders = np.bincount(person, minlength=len(net))[:people]
    return pa.table({
        "person_id": numbers("person", np.arange(people)),
        "orders_count": orders,
        "has_churned": orders == 0,
        "net_revenue": net[:people] / 100,
    })  # fmt: skip


class _OrdersWithin:
    """Expected orders of people who are alive, by days of activity from as_of; arrays of shape (alive people,)."""

    def __init__(
        self,
        purchase_rate: NDArray[np.float64],
        dropout_rate: NDArray[np.float64],
        is_disappointed: NDArray[np.bool_],
        disappointing_share: float,
        factor: float,
    ):
        self._purchase_rate = purchase_rate
        self._gone = factor * dropout_rate
        self._becoming = np.where(is_disappointed, 0.0, disappointing_share * purchase_rate)
        self._leaving = np.where(is_disappointed, self._gone, self._becoming + dropout_rate)
        difference = self._leaving - self._gone
        # Where both rates are equal the solution is a limit; a millionth beside it is as good.
        self._difference = np.where(np.abs(difference) < 1e-6 * self._gone, 1e-6 * self._gone, difference)

    def __call__(self, activity: float) -> NDArray[np.float64]:
        here = _discounted(self._leaving, activity)
        disappointed = _discounted(self._leaving - self._difference, activity)
        return np.asarray(self._purchase_rate * (here + self._becoming / self._difference * (disappointed - here)))


def _discounted(rate: NDArray[np.float64], activity: float) -> NDArray[np.float64]:
    """∫ exp(−rate × u) du from 0 to activity."""
    return np.asarray(-np.expm1(-rate * activity) / rate)


def _activity_between(clock: ShopClock, start: float, end: float) -> float:
    first, last = clock.activity_at(np.array([start, max(start, end)]))
    return float(last - first)


def _parameters_of(truth: pa.Table) -> ShopParameters:
    metadata = truth.schema.metadata or {}
    if _PARAMETERS not in metadata:
        raise InputError("The truth lacks the shop's parameters in its metadata: read truth.parquet with pyarrow, or take truth_of(shop).")
    return ShopParameters.from_json(metadata[_PARAMETERS])


def _seconds(truth: pa.Table, name: str, clock: ShopClock) -> NDArray[np.int64]:
    """Seconds since the opening; later than all others where null."""
    times = truth.column(name).to_numpy()
    seconds = (times - np.datetime64(clock.opened_at, "s")).astype("timedelta64[s]").astype(np.int64)
    return np.where(np.isnat(times), np.iinfo(np.int64).max, seconds)
