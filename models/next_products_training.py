"""Learning which products come next, at the last past date whose horizon has passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.sparse import csr_matrix

from models.next_products import NextProducts, fit_lines
from models.next_products_trial import Purchases, hits_of, ranking_of
from models.product_neighbours import neighbours_of
from models.product_shelf import Shelf, all_histories, load_histories, read_shelf
from models.purchases import Histories, Knowledge, drawn_customers, has_purchases, purchases_sql
from models.splits import folds_by_customer
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse

MOST_CUSTOMERS = 30_000
"""Of whom neighbours are learned, drawn by a hash."""

MOST_BUYERS = 4_000
"""Of whom the lines are learned, drawn by the same hash."""

FEWEST_BUYERS = 200


@dataclass(frozen=True)
class Learned:
    """A model of the next products, and how it did at the cutoff on customers that its lines were not learned from.

    Attributes:
        metrics: by predictor, then by metric; see `next_products_trial.hits_of`.
    """

    model: NextProducts
    cutoff: date
    buyers_count: int
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ProductHistory:
    """All that is learned from: what customers bought before and after a cutoff, and of whom neighbours are learned, then and now."""

    cutoff: date
    days: int
    past: Purchases
    then: Histories
    shelf: Shelf
    now: Histories
    as_of_day: int


def read_product_history(warehouse: Warehouse, as_of: date, settings: HomeSettings) -> ProductHistory | None:
    """What there is to learn for `as_of`; None where the shop has no order lines, or too few customers who bought in the horizon before."""
    if not has_purchases(warehouse, "product_id"):
        return None
    prediction, time_zone = settings.prediction, settings.shop.time_zone
    days, never = prediction.churn_horizon_days, prediction.never_recommended
    cutoff = as_of - timedelta(days=days)
    then, now = (Knowledge.at(warehouse, day, time_zone) for day in (cutoff, as_of))
    shelf = read_shelf(warehouse, then, days, never)
    past = past_purchases(warehouse, then, now, shelf)
    if past is None:
        return None
    before = _sampled_histories(warehouse, then, shelf)
    shelf = read_shelf(warehouse, now, days, never)
    return ProductHistory(cutoff, days, past, before, shelf, _sampled_histories(warehouse, now, shelf), now.day)


def learn_next_products(known: ProductHistory) -> Learned:
    """The model that ranks what is bought next, in the home's churn horizon."""
    past, days = known.past, known.days
    neighbours = neighbours_of(known.then, len(past.shelf), past.day)
    fold = folds_by_customer(np.arange(past.histories.customers_count, dtype=np.int64), 2)
    tried = []
    for held_out in (0, 1):
        lines = fit_lines(past.histories, past.shelf, neighbours, past.day, past.purchased, fold != held_out)
        model = NextProducts("blend", days, *lines, products=past.shelf.ids, neighbours=neighbours)
        tried.append((fold == held_out, hits_of(past, model)))
    hits = {key: np.where(tried[0][0], tried[0][1][key], tried[1][1][key]) for key in tried[0][1]}
    metrics: dict[str, dict[str, float]] = {}
    for (predictor, metric), is_hit in hits.items():
        metrics.setdefault(predictor, {})[metric] = float(is_hit.mean())
    everyone = np.ones(past.histories.customers_count, dtype=bool)
    lines = fit_lines(past.histories, past.shelf, neighbours, past.day, past.purchased, everyone)
    present = neighbours_of(known.now, len(known.shelf), known.as_of_day)
    model = NextProducts(ranking_of(hits, everyone), days, *lines, products=known.shelf.ids, neighbours=present)
    return Learned(model, known.cutoff, past.histories.customers_count, metrics)


def past_purchases(warehouse: Warehouse, then: Knowledge, now: Knowledge, shelf: Shelf) -> Purchases | None:
    """Customers with an order line before the cutoff and one after it; None where they are too few to learn from."""
    drawn = drawn_customers(warehouse)
    earlier, later = purchases_sql(then, drawn=drawn), purchases_sql(now, then.day, drawn)
    warehouse.create_temporary(
        "buyers",
        f"""
        as
        select distinct customer_id
        from ({later}) as later
        where product_id is not null and customer_id in (select customer_id from ({earlier}) as earlier where product_id is not null)
        """,
    )
    count = int(warehouse.rows("select count(*) from buyers")[0][0])
    if count < FEWEST_BUYERS or not len(shelf):
        return None
    chosen = f"select customer_id from buyers where {drawn.at_most(MOST_BUYERS, count).condition}"
    customers = len(load_histories(warehouse, now, shelf, chosen, since_day=then.day))
    after = all_histories(warehouse, customers)
    purchased = csr_matrix((np.ones(len(after.product), np.float32), (after.customer, after.product)), shape=(customers, len(shelf)))
    load_histories(warehouse, then, shelf, chosen)
    return Purchases(all_histories(warehouse, customers), shelf, then.day, purchased)


def _sampled_histories(warehouse: Warehouse, known: Knowledge, shelf: Shelf) -> Histories:
    drawn = drawn_customers(warehouse)
    bought = purchases_sql(known, drawn=drawn)
    warehouse.create_temporary("buyers", f"as select distinct customer_id from ({bought}) as bought where product_id is not null")
    count = int(warehouse.rows("select count(*) from buyers")[0][0])
    chosen = f"select customer_id from buyers where {drawn.at_most(MOST_CUSTOMERS, count).condition}"
    return all_histories(warehouse, len(load_histories(warehouse, known, shelf, chosen)))
