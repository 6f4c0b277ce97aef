"""Who arrives, when they order, what disappoints them and when they are gone: the latent truth."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop.chance import Lots, Stream, by_blocks, generator, in_time_order
from regulars.sample_shop.clock import ShopClock
from regulars.sample_shop.parameters import ShopParameters

NEVER = np.int32(2**31 - 1)
"""Seconds of what does not happen while the shop is simulated."""
REASONS = ("does not fit", "changed my mind", "arrived damaged", "not as described", "arrived too late")
_REASON_WEIGHTS = (0.30, 0.25, 0.20, 0.15, 0.10)
_FIRST_DISAPPOINTING_REASON = 2
_PEOPLE_IN_BLOCK = 1 << 16


@dataclass(frozen=True)
class Lives:
    """Latent truth of every person, in order of arrival; arrays of shape (people,), seconds since the opening."""

    arrived: NDArray[np.int32]
    """Seconds of the first order."""
    purchase_rate: NDArray[np.float64]
    """λ, orders per day of activity."""
    dropout_rate: NDArray[np.float64]
    """μ, per day of activity, before any disappointment."""
    mean_spend: NDArray[np.float64]
    """p / ν, expected net revenue of an order, in cents."""
    disappointed: NDArray[np.int32]
    """Seconds of the first disappointing order, or NEVER."""
    dropped_out: NDArray[np.int32]
    """Seconds of the dropout, or NEVER."""


@dataclass(frozen=True)
class OrderTimes:
    """All orders, the future's included, in order of time; arrays of shape (orders,)."""

    seconds: NDArray[np.int32]
    person: NDArray[np.int32]
    refund: NDArray[np.uint8]
    """0 for none, else 1 + reason, plus the number of reasons when the whole order comes back: see `RefundLots`."""


class RefundLots(Lots):
    """What comes back of an order and why, drawn for every order alike."""

    def __init__(self, parameters: ShopParameters):
        reasons = np.array(_REASON_WEIGHTS) * parameters.refund_share
        whole = parameters.whole_refund_share
        super().__init__((1 - parameters.refund_share, *(reasons * (1 - whole)), *(reasons * whole)))
        self.partial_share = float(self.shares[1 : 1 + len(REASONS)].sum())
        self.whole_share = float(self.shares[1 + len(REASONS) :].sum())
        self.disappointing_share = float(self.shares[is_disappointing(np.arange(len(self.shares)))].sum())


def is_disappointing(refund: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether the reason is the shop's fault."""
    return np.asarray((refund > 0) & ((refund - 1) % len(REASONS) >= _FIRST_DISAPPOINTING_REASON))


def is_whole(refund: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether the whole order comes back."""
    return np.asarray(refund > len(REASONS))


def live(parameters: ShopParameters, clock: ShopClock) -> tuple[Lives, OrderTimes]:
    """Lets everybody arrive, order and drop out.

    Pareto/NBD on the shop's clock: the first order at the arrival, then orders at rate λ until an exponential lifetime
    with rate μ ends. The first order that disappoints (a share of all orders, whoever places them) multiplies μ from
    then on; its refund follows days later. So between two orders both rates are constant.
    """
    arrived = _arrivals(parameters, clock)

    def live_on(block: int, first: int, last: int) -> tuple[Lives, OrderTimes]:
        lives, times = _live(parameters, clock, arrived[first:last], generator(parameters.seed, Stream.LIVES, block))
        return lives, replace(times, person=times.person + np.int32(first))

    blocks = by_blocks(live_on, len(arrived), _PEOPLE_IN_BLOCK)
    lives = Lives(**{field.name: np.concatenate([getattr(lives, field.name) for lives, _ in blocks]) for field in fields(Lives)})
    order = in_time_order(np.concatenate([times.seconds for _, times in blocks]))
    columns = {field.name: np.concatenate([getattr(times, field.name) for _, times in blocks])[order] for field in fields(OrderTimes)}
    return lives, OrderTimes(**columns)


def _arrivals(parameters: ShopParameters, clock: ShopClock) -> NDArray[np.float64]:
    """Seconds at which people arrive, increasing: density exp(growth × t) × m(t), `customers` of them within `days`."""
    middles = (clock.edges[:-1] + clock.edges[1:]) / 2 / (365.25 * 86_400)
    arrivals = np.diff(clock.activity) * np.exp(np.log1p(parameters.growth_per_year) * middles)
    cumulative = np.concatenate(([0.0], np.cumsum(arrivals)))
    in_history = float(np.interp(clock.seconds_at(parameters.start + timedelta(days=parameters.days)), clock.edges, cumulative))
    newcomers = round(parameters.customers * (cumulative[-1] - in_history) / in_history)
    chance = generator(parameters.seed, Stream.ARRIVALS)
    places = np.concatenate((
        chance.random(parameters.customers) * in_history,
        in_history + chance.random(newcomers) * (cumulative[-1] - in_history),
    ))  # fmt: skip
    places.sort()
    return np.asarray(np.interp(places, cumulative, clock.edges))


def _live(
    parameters: ShopParameters, clock: ShopClock, arrived: NDArray[np.float64], chance: np.random.Generator
) -> tuple[Lives, OrderTimes]:
    people = len(arrived)
    purchase_rate = chance.standard_gamma(parameters.r, people) / parameters.alpha
    # A rate of 0 would be a lifetime without end, and a division by it.
    dropout_rate = np.maximum(chance.standard_gamma(parameters.s, people) / parameters.beta, 1e-12)
    mean_spend = 100 * parameters.p * parameters.gamma / chance.standard_gamma(parameters.q, people)
    patience = chance.standard_exponential(people)
    arrived_activity = clock.activity_at(arrived)
    lifetime = patience / dropout_rate
    exposure = np.minimum(lifetime, clock.activity[-1] - arrived_activity)

    orders = 1 + chance.poisson(purchase_rate * exposure)
    person = np.repeat(np.arange(people, dtype=np.int32), orders)
    firsts = np.cumsum(orders) - orders
    ages = chance.random(len(person)) * exposure[person]
    ages[firsts] = 0.0
    refund = RefundLots(parameters).draw(chance, len(person))

    # A disappointment spends what patience is left at a higher rate, so it only shortens lives: drop the orders after them.
    bad = np.flatnonzero(is_disappointing(refund))
    disappointed = np.full(people, np.inf)
    np.minimum.at(disappointed, person[bad], ages[bad])
    has_cause = np.isfinite(disappointed)
    lost = (1 - 1 / parameters.disappointment_factor) * (lifetime[has_cause] - disappointed[has_cause])
    lifetime[has_cause] -= lost
    kept = ages <= lifetime[person]
    kept[firsts] = True
    person, ages, refund = person[kept], ages[kept], refund[kept]

    seconds = clock.seconds_of(arrived_activity[person] + ages).astype(np.int32)
    return (
        Lives(
            arrived=clock.seconds_of(arrived_activity).astype(np.int32),
            purchase_rate=purchase_rate,
            dropout_rate=dropout_rate,
            mean_spend=mean_spend,
            disappointed=_seconds_or_never(clock, arrived_activity + disappointed),
            dropped_out=_seconds_or_never(clock, arrived_activity + lifetime),
        ),
        OrderTimes(seconds, person, refund),
    )


def _seconds_or_never(clock: ShopClock, activity: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.where(activity < clock.activity[-1], clock.seconds_of(activity), NEVER).astype(np.int32)
