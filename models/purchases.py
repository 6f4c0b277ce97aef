"""What each customer bought, read for the predictions of category and next product: as it was known at a date, returns left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.sampled import EVERYONE, Sample
from regulars.nights import past_night
from regulars.warehouse import Warehouse

Numbers = NDArray[np.int64]

EPOCH = date(1970, 1, 1)
MOST_CUSTOMERS = 1_000_000
"""A shop of more is learned from through so many, drawn by a hash: what comes of it is the same to the third digit."""

ORDERS, LINES, PRODUCTS, REFUNDS = (
    "intermediate.int_orders",
    "staging.stg_order_lines",
    "staging.stg_products",
    "intermediate.int_refund_allocations",
)


@dataclass(frozen=True)
class Knowledge:
    """A date, and what had been learned when it was computed."""

    as_of: date
    known_until: datetime

    @classmethod
    def at(cls, warehouse: Warehouse, as_of: date, time_zone: str) -> Knowledge:
        return cls(as_of, past_night(warehouse, as_of, time_zone).known_until)

    @property
    def day(self) -> int:
        """The date, in days from 1970-01-01."""
        return (self.as_of - EPOCH).days

    def holds(self, row: str) -> str:
        """The condition that a version of a row was the one known."""
        instant = f"timestamp '{self.known_until:%Y-%m-%d %H:%M:%S.%f}'"
        return f"{row}.known_at <= {instant} and ({row}.superseded_at is null or {row}.superseded_at > {instant})"


def has_purchases(warehouse: Warehouse, column: str) -> bool:
    """Whether any order line tells `column`, product_id or category. A shop without order lines costs no more than this."""
    if not all(warehouse.exists(table) for table in (ORDERS, LINES, PRODUCTS, REFUNDS)):
        return False
    told = [LINES] if column == "product_id" else [LINES, PRODUCTS]
    return any(warehouse.rows(f"select 1 from {table} where {column} is not null limit 1") for table in told)


def drawn_customers(warehouse: Warehouse) -> Sample:
    """Whom to learn from: everyone, in all but the largest shops."""
    return EVERYONE.at_most(MOST_CUSTOMERS, int(warehouse.rows(f"select count(distinct customer_id) from {ORDERS}")[0][0]))


def purchases_sql(known: Knowledge, since_day: int | None = None, drawn: Sample = EVERYONE) -> str:
    """A query of customer_id, ordered_day, source, order_id, product_id, category: the lines of orders placed before the date.

    A line whose product has come back by then as often as it was bought is none.

    Args:
        since_day: leave out orders placed before that day.
        drawn: whose orders.
    """
    since = "" if since_day is None else f"and orders.ordered_day >= {since_day}"
    return f"""
        select orders.customer_id, orders.ordered_day, orders.source, orders.order_id, lines.product_id, lines.category
        from {ORDERS} as orders
        inner join {LINES} as lines on orders.source = lines.source and orders.order_id = lines.order_id and {known.holds("lines")}
        left join (
            select source, order_id, product_id, sum(quantity) as quantity
            from {REFUNDS} as refunds
            where order_id is not null and product_id is not null and refunded_day < {known.day} and {known.holds("refunds")}
            group by source, order_id, product_id
        ) as returned
            on lines.source = returned.source and lines.order_id = returned.order_id and lines.product_id = returned.product_id
        where orders.ordered_day < {known.day} {since}
            and (orders.cancelled_day is null or orders.cancelled_day >= {known.day})
            and {known.holds("orders")}
            and {drawn.condition}
            and (returned.quantity is null or returned.quantity < lines.quantity)
    """


def categories_sql(known: Knowledge, since_day: int | None = None, drawn: Sample = EVERYONE) -> str:
    """A query of customer_id, ordered_day, category: one row for each day on which a customer bought of a category.

    The category is that of the line, else the product's.

    Args:
        since_day, drawn: as in `purchases_sql`.
    """
    return f"""
        select distinct bought.customer_id, bought.ordered_day, coalesce(bought.category, known_products.category) as category
        from ({purchases_sql(known, since_day, drawn)}) as bought
        left join (
            select source, product_id, max(category) as category
            from {PRODUCTS} as products
            where category is not null and {known.holds("products")}
            group by source, product_id
        ) as known_products on bought.source = known_products.source and bought.product_id = known_products.product_id
        where coalesce(bought.category, known_products.category) is not null
    """


@dataclass(frozen=True)
class Histories:
    """What customers bought: one entry per customer and product, ordered by customer; days count from 1970-01-01.

    Attributes:
        customers_count: customers, numbered from 0; not every one of them need have an entry.
        customer, product: numbers of the two.
        days_count: days on which the customer bought it.
        first_day, last_day: the first and last of them.
    """

    customers_count: int
    customer: Numbers
    product: Numbers
    days_count: Numbers
    first_day: Numbers
    last_day: Numbers

    @classmethod
    def of(cls, rows: pa.Table, customers_count: int) -> Histories:
        """From columns named as the attributes."""
        columns = (rows.column(name).cast(pa.int64()).to_numpy() for name in COLUMNS)
        return cls(customers_count, *columns)

    def part(self, first: int, end: int) -> Histories:
        """The customers from `first` until before `end`, numbered from 0."""
        start, stop = np.searchsorted(self.customer, [first, end])
        chosen = slice(start, stop)
        return Histories(
            end - first,
            self.customer[chosen] - first,
            *(column[chosen] for column in (self.product, self.days_count, self.first_day, self.last_day)),
        )

    def where(self, chosen: NDArray[np.bool_]) -> Histories:
        """The entries that `chosen` tells, of all customers."""
        columns = (self.customer, self.product, self.days_count, self.first_day, self.last_day)
        return Histories(self.customers_count, *(column[chosen] for column in columns))

    def latest(self, most: int) -> Histories:
        """Of each customer the `most` entries bought last."""
        order = np.lexsort((self.product, -self.last_day, self.customer))
        starts = np.searchsorted(self.customer, self.customer)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) - starts[order]
        return self.where(place < most)


COLUMNS = ("customer", "product", "days_count", "first_day", "last_day")
