"""The files of the shop's nightly export, batch by batch in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from regulars.sample_shop.baskets import COUPONS, FIRST_COUPON
from regulars.sample_shop.chance import WORKERS
from regulars.sample_shop.columns import AMOUNT, TIMESTAMP, amounts, column, emails, labels, line_ids, numbers, strings, texts, timestamps
from regulars.sample_shop.consents import CONSENT_SOURCES, STATUSES
from regulars.sample_shop.files import write_csv, write_parquet
from regulars.sample_shop.identities import FIRST_NAMES, LAST_NAMES, NO_DATE, NO_VALUE, PLACES
from regulars.sample_shop.lives import NEVER, REASONS
from regulars.sample_shop.refunds import WHOLE_ORDER

if TYPE_CHECKING:
    from regulars.sample_shop.shop import Shop

_TEXT = pa.string()
_LABEL = pa.dictionary(pa.int32(), pa.string())
_BATCH = 1 << 18
"""Orders, refunds, customers or consents in a batch; a batch of a Parquet file is a row group."""
_FREE_SHIPPING_FROM, _SHIPPING, _TAX_RATE = 50_00, 4_90, 0.19

ORDERS = pa.schema([
    ("order_id", _TEXT), ("account_id", _TEXT), ("email", _TEXT), ("ordered_at", TIMESTAMP), ("net_revenue", AMOUNT),
    ("discount_amount", AMOUNT), ("shipping_amount", AMOUNT), ("tax_amount", AMOUNT), ("currency", _LABEL), ("coupon_code", _LABEL),
])  # fmt: skip
ORDER_LINES = pa.schema([
    ("order_id", _TEXT), ("line_id", _TEXT), ("account_id", _TEXT), ("ordered_at", TIMESTAMP), ("product_id", _LABEL),
    ("product_name", _LABEL), ("category", _LABEL), ("quantity", pa.int32()), ("unit_price", AMOUNT), ("net_revenue", AMOUNT),
    ("discount_amount", AMOUNT), ("currency", _LABEL),
])  # fmt: skip
REFUNDS = pa.schema([
    ("refund_id", _TEXT), ("order_id", _TEXT), ("line_id", _TEXT), ("account_id", _TEXT), ("product_id", _LABEL), ("quantity", pa.int32()),
    ("unit_price", AMOUNT), ("amount", AMOUNT), ("refunded_at", TIMESTAMP), ("reason", _LABEL), ("currency", _LABEL),
])  # fmt: skip
CUSTOMERS = pa.schema([
    ("account_id", _TEXT), ("email", _TEXT), ("first_name", _TEXT), ("last_name", _TEXT), ("phone", _TEXT), ("birth_date", pa.date32()),
    ("postal_code", _TEXT), ("city", _TEXT), ("country", _TEXT), ("registered_at", pa.timestamp("s")),
])  # fmt: skip
CONSENTS = pa.schema([
    ("account_id", _TEXT), ("email", _TEXT), ("channel", _TEXT), ("status", _TEXT), ("changed_at", pa.timestamp("s")),
    ("consent_source", _TEXT),
])  # fmt: skip
PRODUCTS = pa.schema([
    ("product_id", _TEXT), ("product_name", _TEXT), ("category", _TEXT), ("cost_amount", AMOUNT), ("price", AMOUNT),
    ("warranty_days", pa.int32()), ("lifespan_days", pa.int32()), ("currency", _TEXT),
])  # fmt: skip


@dataclass(frozen=True)
class ExportCounts:
    """Rows in each file of an export."""

    orders: int
    order_lines: int
    refunds: int
    customers: int
    products: int
    consents: int


def export(shop: Shop, folder: Path, end: int, begin: int | None = None) -> ExportCounts:
    """Writes the six files of all that happened before `end` (seconds since the opening) and puts them in place.

    With `begin`, only what happened since then; the products stand in every export.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first, last = (_rows_before(shop, moment) for moment in (begin, end))
    # The longest files first: each of the two threads takes the next one.
    writers: tuple[Callable[[], None], ...] = (
        lambda: write_parquet(
            folder / "order_lines.parquet", ORDER_LINES, (_order_lines(shop, *batch) for batch in _batches(first.orders, last.orders))
        ),
        lambda: write_parquet(folder / "orders.parquet", ORDERS, (_orders(shop, *batch) for batch in _batches(first.orders, last.orders))),
        lambda: write_csv(
            folder / "customers.csv", CUSTOMERS, (_customers(shop, *batch) for batch in _batches(first.customers, last.customers))
        ),
        lambda: write_csv(
            folder / "consents.csv", CONSENTS, (_consents(shop, *batch) for batch in _batches(first.consents, last.consents))
        ),
        lambda: write_parquet(
            folder / "refunds.parquet", REFUNDS, (_refunds(shop, *batch) for batch in _batches(first.refunds, last.refunds))
        ),
        lambda: write_csv(folder / "products.csv", PRODUCTS, [_products(shop)]),
    )
    with ThreadPoolExecutor(WORKERS) as pool:
        for written in [pool.submit(writer) for writer in writers]:
            written.result()
    return ExportCounts(**{table: count - getattr(first, table) for table, count in asdict(last).items()})


def _rows_before(shop: Shop, moment: int | None) -> ExportCounts:
    if moment is None:
        return ExportCounts(orders=0, order_lines=0, refunds=0, customers=0, products=0, consents=0)
    orders = int(np.searchsorted(shop.times.seconds, moment))
    return ExportCounts(
        orders=orders,
        order_lines=int(shop.baskets.line_offsets[orders]),
        refunds=int(np.searchsorted(shop.refunds.seconds, moment)),
        customers=int(np.searchsorted(shop.identities.registered[shop.account_holders], moment)),
        products=len(shop.goods.names),
        consents=int(np.searchsorted(shop.consents.seconds, moment)),
    )


def _batches(begin: int, end: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + _BATCH, end)) for first in range(begin, end, _BATCH))


def _currency(shop: Shop, rows: int) -> pa.Array:
    return labels(np.zeros(rows, dtype=np.int8), (shop.parameters.currency,))


def _orders(shop: Shop, first: int, last: int) -> list[Any]:
    baskets, place, person = shop.baskets, np.arange(first, last), shop.times.person[first:last]
    by_account, net, discount = baskets.by_account[first:last], baskets.net_revenue[first:last], baskets.discount[first:last]
    shipping = np.where(net < _FREE_SHIPPING_FROM, _SHIPPING, 0)
    # Guests do not always write their address alike: every eighth order or so with capitals.
    spelling = (place * 2_654_435_761 >> 16) % 8 == 0
    return [
        numbers("order", place),
        numbers("account", shop.identities.account[person], ~by_account),
        emails(shop.identities, person, spelling.astype(np.uint8), by_account),
        timestamps(shop.clock.opened_at, shop.times.seconds[first:last]),
        amounts(net),
        amounts(baskets.discount_amount[first:last]),
        amounts(shipping),
        amounts(np.rint((net + shipping) * _TAX_RATE)),
        _currency(shop, len(place)),
        labels(np.maximum(discount, FIRST_COUPON) - FIRST_COUPON, COUPONS, discount < FIRST_COUPON),
    ]


def _order_lines(shop: Shop, first: int, last: int) -> list[Any]:
    baskets, goods = shop.baskets, shop.goods
    lines = baskets.lines[first:last]
    of_lines = slice(int(shop.baskets.line_offsets[first]), int(shop.baskets.line_offsets[last]))
    order = np.repeat(np.arange(last - first, dtype=np.int32), lines)
    product, units, unit_price = baskets.product[of_lines], baskets.units[of_lines].astype(np.int32), baskets.unit_price[of_lines]
    place = np.arange(of_lines.start, of_lines.stop) - shop.baskets.line_offsets[first:last][order] + 1
    order_ids = numbers("order", np.arange(first, last)).take(column(order))
    account = shop.identities.account[shop.times.person[first:last]]
    return [
        order_ids,
        line_ids(order_ids, place),
        numbers("account", account, ~baskets.by_account[first:last]).take(column(order)),
        timestamps(shop.clock.opened_at, shop.times.seconds[first:last][order]),
        labels(product, shop.product_ids),
        labels(product, goods.names),
        labels(goods.category[product], goods.categories),
        column(units),
        amounts(unit_price),
        amounts(unit_price * units),
        amounts((goods.price[product] - unit_price) * units),
        _currency(shop, len(product)),
    ]


def _refunds(shop: Shop, first: int, last: int) -> list[Any]:
    refunds = shop.refunds
    order, line, product = refunds.order[first:last], refunds.line[first:last], refunds.product[first:last]
    whole = line == WHOLE_ORDER
    order_ids = numbers("order", order)
    return [
        numbers("refund", np.arange(first, last)),
        order_ids,
        line_ids(order_ids, line, whole),
        numbers("account", shop.identities.account[shop.times.person[order]], ~shop.baskets.by_account[order]),
        labels(product, shop.product_ids, whole),
        column(refunds.units[first:last].astype(np.int32), whole),
        amounts(refunds.unit_price[first:last], whole),
        amounts(refunds.amount[first:last]),
        timestamps(shop.clock.opened_at, refunds.seconds[first:last]),
        labels(refunds.reason[first:last], REASONS),
        _currency(shop, len(order)),
    ]


def _customers(shop: Shop, first: int, last: int) -> list[Any]:
    identities, person = shop.identities, shop.account_holders[first:last]
    name, place, phone, born = identities.name[person], identities.place[person], identities.phone[person], identities.born[person]
    return [
        numbers("account", np.arange(first, last)),
        emails(identities, person, identities.spelling[person]),
        texts(name // len(LAST_NAMES), FIRST_NAMES),
        texts(name % len(LAST_NAMES), LAST_NAMES),
        texts(phone, [f"+49 30 23125 {digits:03}" for digits in range(1_000)], phone == NO_VALUE),
        column(born, born == NO_DATE).cast(pa.date32()),
        *(texts(place, values) for values in zip(*PLACES, strict=True)),
        timestamps(shop.clock.opened_at, identities.registered[person]).cast(pa.timestamp("s")),
    ]


def _consents(shop: Shop, first: int, last: int) -> list[Any]:
    consents, identities = shop.consents, shop.identities
    person, seconds = consents.person[first:last], consents.seconds[first:last]
    registered = identities.registered[person]
    is_guest = (registered == NEVER) | (seconds < registered)
    return [
        numbers("account", identities.account[person], is_guest),
        emails(identities, person, 0, ~is_guest),
        texts(np.zeros(last - first, dtype=np.int8), ("email",)),
        texts(consents.status[first:last], STATUSES),
        timestamps(shop.clock.opened_at, seconds).cast(pa.timestamp("s")),
        texts(consents.source[first:last], CONSENT_SOURCES),
    ]


def _products(shop: Shop) -> list[Any]:
    goods = shop.goods
    return [
        strings(shop.product_ids),
        strings(goods.names),
        texts(goods.category, goods.categories),
        amounts(goods.cost),
        amounts(goods.price),
        column(goods.warranty_days),
        column(goods.lifespan_days),
        texts(np.zeros_like(goods.category), (shop.parameters.currency,)),
    ]
