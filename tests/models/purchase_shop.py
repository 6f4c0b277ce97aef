"""Order lines by a known law, straight in the tables that dbt makes of them.

Every customer has a favourite category, of which FAVOURITE of the orders are; an order holds a product and, half of the time, its partner,
and now and then what the customer bought before.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from models.purchases import EPOCH
from regulars.warehouse import Warehouse

AS_OF = date(2024, 6, 1)
DAY = (AS_OF - EPOCH).days
CATEGORIES = ("bath", "cups", "lamps", "tools")
PRODUCTS = 15
"""Of each category."""

FAVOURITE = 0.7
LONG_AGO = datetime(2020, 1, 1)
TYPES = {"text": pa.string(), "integer": pa.int64(), "timestamp": pa.timestamp("us")}
TABLES = {
    "intermediate.int_orders": {
        "text": ("customer_id", "source", "order_id"),
        "integer": ("ordered_day", "cancelled_day"),
        "timestamp": ("known_at", "superseded_at"),
    },
    "staging.stg_order_lines": {
        "text": ("source", "order_id", "product_id", "product_name", "category"),
        "integer": ("quantity",),
        "timestamp": ("ordered_at", "known_at", "superseded_at"),
    },
    "staging.stg_products": {
        "text": ("source", "product_id", "product_name", "category"),
        "integer": ("lifespan_days",),
        "timestamp": ("known_at", "superseded_at"),
    },
    "intermediate.int_refund_allocations": {
        "text": ("source", "order_id", "product_id"),
        "integer": ("quantity", "refunded_day"),
        "timestamp": ("known_at", "superseded_at"),
    },
}
DATABASE_TYPES = {"text": "varchar", "integer": "bigint", "timestamp": "timestamp"}


def create(warehouse: Warehouse) -> None:
    """The four tables, empty."""
    for name, columns in TABLES.items():
        warehouse.execute(f"create schema if not exists {name.split('.')[0]}")
        listed = ", ".join(f"{column} {DATABASE_TYPES[kind]}" for kind, names in columns.items() for column in names)
        warehouse.execute(f"drop table if exists {name}")
        warehouse.execute(f"create table {name} ({listed})")


def insert(warehouse: Warehouse, name: str, rows: list[dict[str, Any]]) -> None:
    """Rows of one of the tables; what is not given is null, and of source `shop`, known for long."""
    schema = pa.schema([(column, TYPES[kind]) for kind, names in TABLES[name].items() for column in names])
    warehouse.append_temporary(name, pa.Table.from_pylist([{"source": "shop", "known_at": LONG_AGO} | row for row in rows], schema=schema))


def buy(warehouse: Warehouse, customer: str, day: int, *products: str, order: str = "", **more: Any) -> None:
    """One order of a customer, a line a product."""
    order = order or f"{customer}-{day}"
    insert(warehouse, "intermediate.int_orders", [{"customer_id": customer, "order_id": order, "ordered_day": day} | more])
    insert(warehouse, "staging.stg_order_lines", [line(order, day, product) for product in products])


def line(order: str, day: int, product: str) -> dict[str, Any]:
    category = product.rpartition("-")[0] or None
    moment = datetime.combine(EPOCH, datetime.min.time()) + timedelta(days=day, hours=12)
    return {
        "order_id": order,
        "product_id": product,
        "product_name": f"A {product}",
        "category": category,
        "quantity": 1,
        "ordered_at": moment,
    }


def fill(warehouse: Warehouse, customers: int, days: int = 400) -> None:
    """Two years' worth of the law, until AS_OF."""
    create(warehouse)
    chance = np.random.default_rng(7)
    orders, lines = [], []
    for number in range(customers):
        favourite, bought = int(chance.integers(len(CATEGORIES))), []
        for day in np.cumsum(chance.geometric(1 / 40, 20)) + DAY - days:
            if day >= DAY:
                break
            category = favourite if chance.random() < FAVOURITE else int(chance.integers(len(CATEGORIES)))
            product = int(chance.integers(PRODUCTS))
            basket = {f"{CATEGORIES[category]}-{product}"}
            if chance.random() < 0.5:
                basket.add(f"{CATEGORIES[category]}-{(product + 1) % PRODUCTS}")
            if bought and chance.random() < 0.3:
                basket.add(str(chance.choice(bought)))
            bought += sorted(basket)
            order = f"c{number:04}-{day}"
            orders.append({"customer_id": f"c{number:04}", "order_id": order, "ordered_day": int(day)})
            lines += [line(order, int(day), product) for product in sorted(basket)]
    insert(warehouse, "intermediate.int_orders", orders)
    insert(warehouse, "staging.stg_order_lines", lines)
