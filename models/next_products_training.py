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
from models.purchases import Histories, Knowledge, has_purchases, purchases_sql
from models.sampled import sampled
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


def learn_next_products(warehouse: Warehouse, as_of: date, settings: HomeSettings) -> Learned | None:
    """The model for `as_of`; None where the shop has no order lines, or too few customers who bought in the horizon before `as_of`."""
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
    neighbours = neighbours_of(_sampled_histories(warehouse, then, shelf), len(shelf), then.day)
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
    shelf = read_shelf(warehouse, now, days, never)
    present = neighbours_of(_sampled_histories(warehouse, now, shelf), len(shelf), now.day)
    model = NextProducts(ranking_of(hits, everyone), days, *lines, products=shelf.ids, neighbours=present)
    return Learned(model, cutoff, past.histories.customers_count, metrics)


def past_purchases(warehouse: Warehouse, then: Knowledge, now: Knowledge, shelf: Shelf) -> Purchases | None:
    """Customers with an order line before the cutoff and one after it; None where they are too few to learn from."""
    buyers = f"""
        select distinct customer_id
        from ({purchases_sql(now, since_day=then.day)}) as later
        where product_id is not null
            and customer_id in (select customer_id from ({purchases_sql(then)}) as earlier where product_id is not null)
    """
    count = int(warehouse.rows(f"select count(*) from ({buyers}) as buyers")[0][0])
    if count < FEWEST_BUYERS or not len(shelf):
        return None
    drawn = f"select customer_id from ({buyers}) as buyers where {sampled(MOST_BUYERS, count)}"
    customers = len(load_histories(warehouse, now, shelf, drawn, since_day=then.day))
    after = all_histories(warehouse, customers)
    purchased = csr_matrix((np.ones(len(after.product), np.float32), (after.customer, after.product)), shape=(customers, len(shelf)))
    load_histories(warehouse, then, shelf, drawn)
    return Purchases(all_histories(warehouse, customers), shelf, then.day, purchased)


def _sampled_histories(warehouse: Warehouse, known: Knowledge, shelf: Shelf) -> Histories:
    bought = f"select distinct customer_id from ({purchases_sql(known)}) as bought where product_id is not null"
    count = int(warehouse.rows(f"select count(*) from ({bought}) as customers")[0][0])
    drawn = f"select customer_id from ({bought}) as customers where {sampled(MOST_CUSTOMERS, count)}"
    return all_histories(warehouse, len(load_histories(warehouse, known, shelf, drawn)))
