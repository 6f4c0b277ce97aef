"""What comes back of the orders, when and why."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop.baskets import LINES, UNITS, Baskets
from regulars.sample_shop.chance import Stream, generator, in_time_order
from regulars.sample_shop.lives import REASONS, OrderTimes, is_whole
from regulars.sample_shop.parameters import ShopParameters

WHOLE_ORDER = 0


@dataclass(frozen=True)
class Refunds:
    """Refunds in order of time; arrays of shape (refunds,), amounts are cents. An order has one at most."""

    seconds: NDArray[np.int32]
    order: NDArray[np.int32]
    line: NDArray[np.uint8]
    """Line within the order, counted from 1, or WHOLE_ORDER."""
    product: NDArray[np.uint8]
    """Product of that line; means nothing for a whole order, as do units and unit_price."""
    units: NDArray[np.uint8]
    unit_price: NDArray[np.int32]
    amount: NDArray[np.int32]
    reason: NDArray[np.uint8]
    """Index in `lives.REASONS`."""


def give_back(parameters: ShopParameters, times: OrderTimes, baskets: Baskets) -> Refunds:
    """Refunds the orders whose life said so: a whole order, or some units of one of its lines."""
    chance = generator(parameters.seed, Stream.REFUNDS)
    order = np.flatnonzero(times.refund).astype(np.int32)
    refund = times.refund[order]
    delay = delay_days(parameters, chance.random(len(order))) * 86_400
    line = (chance.random(len(order)) * baskets.lines[order]).astype(np.int64)
    at = baskets.line_offsets[order] + line
    units = 1 + (chance.random(len(order)) * baskets.units[at]).astype(np.uint8)
    refunds = Refunds(
        seconds=(times.seconds[order] + delay).astype(np.int32),
        order=order,
        line=np.where(is_whole(refund), WHOLE_ORDER, line + 1).astype(np.uint8),
        product=baskets.product[at],
        units=units,
        unit_price=baskets.unit_price[at],
        amount=np.where(is_whole(refund), baskets.net_revenue[order], baskets.unit_price[at] * units).astype(np.int32),
        reason=((refund - 1) % len(REASONS)).astype(np.uint8),
    )
    by_time = in_time_order(refunds.seconds)
    return Refunds(**{field.name: getattr(refunds, field.name)[by_time] for field in fields(Refunds)})


def delay_days(parameters: ShopParameters, chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantile function of the days from an order to its refund; chance lies in [0, 1]."""
    shortest, longest = parameters.refund_delay_days
    return np.asarray(shortest + (longest - shortest) * chance**2)


def partial_share() -> float:
    """Expected share of an order's value that a partial refund gives back.

    One of n lines, which hold 1 / n of the value each on average, and 1 … u of its u units, all equally likely.
    """
    lines, units = np.arange(len(LINES.shares)), np.arange(len(UNITS.shares))
    of_order = (LINES.shares[1:] / lines[1:]).sum()
    of_line = (UNITS.shares[1:] * (units[1:] + 1) / (2 * units[1:])).sum()
    return float(of_order * of_line)
