"""What is in the orders, and at which price."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop.catalogue import POPULARITY, Catalogue
from regulars.sample_shop.chance import Lots, Stream, by_blocks, generator
from regulars.sample_shop.identities import Identities
from regulars.sample_shop.lives import Lives, OrderTimes
from regulars.sample_shop.parameters import ShopParameters

COUPONS = ("WELCOME10", "TREAT5", "GARDEN15", "FRIENDS20")
"""Coupon codes; the first is for first orders."""
FIRST_COUPON = 2
_PERCENT_OFF = np.array([0, 10, 10, 5, 15, 20])
"""Of each kind of discount: none, a sale without a code, then the coupons."""
_NONE, _SALE, _WELCOME = 0, 1, FIRST_COUPON
_SALE_SHARE = 0.04

LINES = Lots((0, 0.42, 0.28, 0.16, 0.09, 0.05))
"""Lines of an order."""
UNITS = Lots((0, 0.80, 0.14, 0.06))
"""Units of a line, unless its value exceeds what the shop's dearest product costs."""
_MOST_UNITS = 250
_PREFERENCES = Lots((0.55, 0.25, 0.20))
"""Lines of the favourite category, of the second favourite, and of any."""
_CATEGORIES = Lots(POPULARITY)
_DISCOUNTS = tuple(
    Lots((1 - coupons - _SALE_SHARE, _SALE_SHARE, coupons * 0.1, coupons * 0.4, coupons * 0.3, coupons * 0.2))
    for coupons in (0.04, 0.16, 0.45)
)
"""By how keen on bargains the customer is."""
_ORDERS_IN_BLOCK = 1 << 17


@dataclass(frozen=True)
class Baskets:
    """Orders in order of time, arrays of shape (orders,), and their lines, arrays of shape (lines,); amounts are cents."""

    lines: NDArray[np.uint8]
    """Number of lines."""
    net_revenue: NDArray[np.int32]
    """Sum of the lines, after discount."""
    discount_amount: NDArray[np.int32]
    discount: NDArray[np.uint8]
    """0 for none, 1 for a sale, then FIRST_COUPON + index in COUPONS."""
    by_account: NDArray[np.bool_]
    """Whether the order names the account; a guest's order names the e-mail address."""
    product: NDArray[np.uint8]
    """Product of each line."""
    units: NDArray[np.uint8]
    unit_price: NDArray[np.int32]
    """Of one unit after discount."""

    @cached_property
    def line_offsets(self) -> NDArray[np.int64]:
        """First line of each order; shape (orders + 1,)."""
        return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(self.lines, dtype=np.int64)))


@dataclass(frozen=True)
class _Placed:
    """Orders of one block, and what of their customers decides the baskets; arrays of shape (orders,)."""

    is_first: NDArray[np.bool_]
    has_account: NDArray[np.bool_]
    mean_spend: NDArray[np.float64]
    favourite: NDArray[np.uint8]
    second_favourite: NDArray[np.uint8]
    bargains: NDArray[np.uint8]


def fill_baskets(parameters: ShopParameters, goods: Catalogue, lives: Lives, identities: Identities, times: OrderTimes) -> Baskets:
    """Fills every order.

    An order aims at a value from the customer's Gamma(p, ν), shares it out among its lines, and each line buys the
    products whose list price, less the order's discount, is its share on average (`Catalogue.priced`). So expected net
    revenue is the customer's mean spend, list prices are prices of the catalogue, and the value is the sum of the lines.
    What is below the cheapest product costs that product: 2 % too much for the hundredth of the customers who spend
    least, less than 0.1 % over all.
    """

    def fill(block: int, first: int, last: int) -> Baskets:
        seconds, person = times.seconds[first:last], times.person[first:last]
        placed = _Placed(
            is_first=seconds == lives.arrived[person],
            has_account=seconds >= identities.registered[person],
            mean_spend=lives.mean_spend[person],
            favourite=identities.favourite[person],
            second_favourite=identities.second_favourite[person],
            bargains=identities.bargains[person],
        )
        return _fill(parameters, goods, placed, generator(parameters.seed, Stream.BASKETS, block))

    blocks = by_blocks(fill, len(times.seconds), _ORDERS_IN_BLOCK)
    return Baskets(**{field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Baskets)})


def _fill(parameters: ShopParameters, goods: Catalogue, placed: _Placed, chance: np.random.Generator) -> Baskets:
    orders = len(placed.is_first)
    discount = _discounts(placed, chance)
    paid = 1 - _PERCENT_OFF[discount] / 100
    value = chance.standard_gamma(parameters.p, orders) * (placed.mean_spend / parameters.p)

    lines = LINES.draw(chance, orders)
    ends = np.cumsum(lines, dtype=np.int64)
    starts = ends - lines
    weight = 0.5 + chance.random(int(ends[-1]))
    # What the line would cost at list prices.
    target = weight * np.repeat(value / (paid * np.add.reduceat(weight, starts)), lines)

    preference = _PREFERENCES.draw(chance, len(target))
    category = _CATEGORIES.draw(chance, len(target))
    category = np.where(preference == 0, np.repeat(placed.favourite, lines), category)
    category = np.where(preference == 1, np.repeat(placed.second_favourite, lines), category)
    several = np.minimum(np.ceil(target / goods.dearest[category]), _MOST_UNITS).astype(np.uint8)
    units = np.maximum(UNITS.draw(chance, len(target)), several)
    product = goods.priced(category, target / units, chance.random(len(target), dtype=np.float32))

    list_price = goods.price[product]
    unit_price = np.rint(list_price * np.repeat(paid, lines)).astype(np.int32)
    net_revenue = np.add.reduceat(unit_price * units, starts)
    return Baskets(
        lines=lines,
        net_revenue=net_revenue.astype(np.int32),
        discount_amount=(np.add.reduceat(list_price * units, starts) - net_revenue).astype(np.int32),
        discount=discount,
        by_account=placed.has_account & (chance.random(orders, dtype=np.float32) >= parameters.logged_out_share),
        product=product.astype(np.uint8),
        units=units,
        unit_price=unit_price,
    )


def _discounts(placed: _Placed, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Discount of each order; first orders are the only ones with the welcome code, and have no other code."""
    discount = np.choose(placed.bargains, [lots.draw(chance, len(placed.bargains)) for lots in _DISCOUNTS])
    discount[(discount == _WELCOME) & ~placed.is_first] = _NONE
    discount[(discount > _SALE) & placed.is_first] = _WELCOME
    return discount
