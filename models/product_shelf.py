"""What the shop sells, and what of it the customers of interest have bought: read into numbers, in parts of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from models.prediction import Figures
from models.purchases import COLUMNS, LINES, PRODUCTS, Histories, Knowledge, Numbers, purchases_sql
from regulars.warehouse import Warehouse

SOLD_DAYS, LATELY_DAYS, YEAR_DAYS = 90, 30, 365
"""A product not sold for so many days is no longer sold; the others make how popular it is, lately and in the season."""

MOST_PRODUCTS = 3_000
"""Those sold most; what is sold less is never the next product of many, and time and memory grow with their square."""

ENTRIES_PER_PART = 1_000_000


@dataclass(frozen=True)
class Shelf:
    """The products that are sold, the most popular first.

    Attributes:
        ids: the shop's own ids.
        sold, sold_lately: order lines of the last `SOLD_DAYS` and `LATELY_DAYS`.
        sold_in_season: order lines in the horizon that began a year ago.
        categories: each product's, null where the source has none.
    """

    ids: tuple[str, ...]
    sold: Numbers
    sold_lately: Numbers
    sold_in_season: Numbers
    categories: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def category_numbers(self) -> tuple[Numbers, int]:
        """Each product's category by number, the last number for products without one; and how many categories there are."""
        names = sorted({name for name in self.categories if name is not None})
        number = {name: place for place, name in enumerate(names)}
        return np.array([len(names) if name is None else number[name] for name in self.categories], dtype=np.int64), len(names)

    def popularity(self) -> tuple[Figures, Figures, Figures]:
        """Logarithms of each product's share of what is sold, lately, usually and in the season."""
        return _log_share(self.sold_lately, 0.5), _log_share(self.sold, 0.5), _log_share(self.sold_in_season, 1.0)


def read_shelf(warehouse: Warehouse, known: Knowledge, horizon_days: int, never: Sequence[str]) -> Shelf:
    """The products sold by the date.

    Args:
        never: ids of products that are no goods to recommend, such as postage.
    """
    left_out = f"and product_id not in ({', '.join('?' for _ in never)})" if never else ""
    season_end = known.day - YEAR_DAYS + horizon_days
    rows = warehouse.arrow(
        f"""
        select product_id, sold, sold_lately, sold_in_season, coalesce(category, known_category) as category
        from (
            select product_id, max(category) as category,
                count(*) filter (where ordered_day >= {known.day - SOLD_DAYS}) as sold,
                count(*) filter (where ordered_day >= {known.day - LATELY_DAYS}) as sold_lately,
                count(*) filter (where ordered_day < {season_end}) as sold_in_season
            from ({purchases_sql(known, since_day=known.day - YEAR_DAYS)}) as bought
            where product_id is not null {left_out}
            group by product_id
        ) as sellers
        left join (
            select product_id as known_id, max(category) as known_category
            from {PRODUCTS} as products
            where category is not null and {known.holds("products")}
            group by product_id
        ) as known_products on sellers.product_id = known_products.known_id
        where sold > 0
        order by sold desc, product_id
        limit {MOST_PRODUCTS}
        """,
        list(never),
    )
    sold, lately, in_season = (rows.column(name).cast(pa.int64()).to_numpy() for name in ("sold", "sold_lately", "sold_in_season"))
    return Shelf(tuple(rows.column("product_id").to_pylist()), sold, lately, in_season, tuple(rows.column("category").to_pylist()))


def load_histories(
    warehouse: Warehouse, known: Knowledge, shelf: Shelf, customers_sql: str, since_day: int | None = None
) -> pa.ChunkedArray:
    """Make the temporary table `purchase_histories` of what the customers have bought of the shelf; their ids, by number.

    Args:
        customers_sql: a query of distinct customer_id.
        since_day: leave out orders placed before that day.
    """
    customers = warehouse.arrow(f"{customers_sql} order by customer_id")
    numbered = pa.table({"customer_id": customers.column("customer_id").cast(pa.string()), "customer": np.arange(customers.num_rows)})
    warehouse.create_temporary("history_customers", "(customer_id varchar, customer bigint)")
    warehouse.append_temporary("history_customers", numbered)
    warehouse.create_temporary("history_products", "(product_id varchar, product bigint)")
    products = pa.table({"product_id": pa.array(shelf.ids, pa.string()), "product": np.arange(len(shelf))})
    warehouse.append_temporary("history_products", products)
    warehouse.create_temporary(
        "purchase_histories",
        f"""
        as
        select customer, product, count(*) as days_count, min(ordered_day) as first_day, max(ordered_day) as last_day
        from (
            select distinct customers.customer, products.product, bought.ordered_day
            from ({purchases_sql(known, since_day)}) as bought
            inner join history_customers as customers on bought.customer_id = customers.customer_id
            inner join history_products as products on bought.product_id = products.product_id
        ) as days
        group by customer, product
        order by customer, product
        """,
    )
    return numbered.column("customer_id")


def histories(warehouse: Warehouse, customers_count: int) -> Iterator[tuple[int, Histories]]:
    """What stands in `purchase_histories`, in parts of whole customers: the number of a part's first customer, and the part."""
    entries = int(warehouse.rows("select count(*) from purchase_histories")[0][0])
    parts = max(1, -(-entries // ENTRIES_PER_PART))
    bounds = [customers_count * part // parts for part in range(parts + 1)]
    columns = f"customer - cast(? as bigint) as customer, {', '.join(COLUMNS[1:])}"
    for first, end in pairwise(bounds):
        rows = warehouse.arrow(
            f"select {columns} from purchase_histories where customer >= ? and customer < ? order by customer, product",
            [first, first, end],
        )
        yield first, Histories.of(rows, end - first)


def product_names(warehouse: Warehouse, known: Knowledge, shelf: Shelf) -> list[str]:
    """The name of each product of the shelf: as the shop's list of products has it, else as it was sold last, else its id."""
    rows = warehouse.arrow(
        f"""
        select product_id, product_name, place
        from (
            select product_id, product_name, 0 as place,
                row_number() over (partition by product_id order by product_name) as version
            from {PRODUCTS} as products
            where product_name is not null and {known.holds("products")}
            union all
            select product_id, product_name, 1 as place,
                row_number() over (partition by product_id order by ordered_at desc, product_name) as version
            from {LINES} as lines
            where product_name is not null and ordered_at >= timestamp '{known.as_of - timedelta(SOLD_DAYS)}' and {known.holds("lines")}
        ) as names
        where version = 1
        order by place desc
        """
    )
    names = dict(zip(rows.column("product_id").to_pylist(), rows.column("product_name").to_pylist(), strict=True))
    return [str(names.get(product) or product).strip() for product in shelf.ids]


def all_histories(warehouse: Warehouse, customers_count: int) -> Histories:
    """What stands in `purchase_histories`, as a whole."""
    rows = warehouse.arrow(f"select {', '.join(COLUMNS)} from purchase_histories order by customer, product")
    return Histories.of(rows, customers_count)


def _log_share(counts: Numbers, more: float) -> Figures:
    shares: Figures = np.log(counts + more) - np.log(counts.sum() + more * max(len(counts), 1))
    return shares
