"""Which products the customers on tonight's lists buy next."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.next_products import NextProducts, Ranked, best, ranked
from models.product_shelf import histories, load_histories, product_names, read_shelf
from models.purchases import Knowledge, has_purchases
from models.tastes import next_products_of
from regulars.run import Run
from regulars.tables import CUSTOMER_SCORES, NEXT_PRODUCTS, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse
from scoring.side_by_side import side_by_side

PLACES = 5

Labels = tuple[pa.StringArray, ...]
"""The products' ids, the same as JSON, and their names, by number."""


def write_next_products(warehouse: Warehouse, run: Run) -> None:
    """Replace the next products of the run's as_of; nothing is read of a shop without order lines, or with nobody on a list."""
    warehouse.execute(f"delete from {NEXT_PRODUCTS.qualified_name} where as_of_date = ?", [run.as_of])
    version = warehouse.rows(f"select max(model_version) from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?", [run.as_of])[0][0]
    listed = f"select distinct customer_id from {SEGMENT_MEMBERSHIPS.qualified_name} where as_of_date = date '{run.as_of}'"
    if version is None or not warehouse.rows(f"{listed} limit 1") or not has_purchases(warehouse, "product_id"):
        return
    model, prediction = next_products_of(run.home, version), run.settings.prediction
    known = Knowledge.at(warehouse, run.as_of, run.settings.shop.time_zone)
    shelf = read_shelf(warehouse, known, prediction.churn_horizon_days, prediction.never_recommended)
    if not len(shelf):
        return
    customers = load_histories(warehouse, known, shelf, listed)
    quoted = [json.dumps(one, ensure_ascii=False) for one in shelf.ids]
    labels = tuple(pa.array(texts, pa.string()) for texts in (shelf.ids, quoted, product_names(warehouse, known, shelf)))
    for first, part in histories(warehouse, len(customers)):

        def rows_of(one: Ranked, first: int = first) -> pa.Table:
            return _rows(one, customers.slice(first + one.first, len(one.scores)), labels, run, model)

        ranks = ranked(part, shelf, model, known.day, "own_products" if model is None else model.ranking)
        warehouse.append(NEXT_PRODUCTS, pa.concat_tables(side_by_side(rows_of, ranks)))


def _rows(rows: Ranked, customers: pa.ChunkedArray, labels: Labels, run: Run, model: NextProducts | None) -> pa.Table:
    ids, quoted, named = labels
    places = best(rows.scores, PLACES)
    listed = pc.binary_join_element_wise(*(quoted.take(pa.array(place)) for place in places.T), ", ")
    new = np.where(rows.has_bought, -np.inf, rows.scores)
    newest: NDArray[np.int64] = new.argmax(axis=1)
    none_new = np.isneginf(np.take_along_axis(new, newest[:, None], axis=1)[:, 0])
    new_places = pa.array(newest, mask=none_new)
    count = len(rows.scores)
    return pa.table(
        {
            "customer_id": customers.combine_chunks(),
            "as_of_date": pa.repeat(pa.scalar(run.as_of, pa.date32()), count),
            "next_product_ids": pc.binary_join_element_wise("[", listed, "]", ""),
            "next_product_id": ids.take(pa.array(places[:, 0])),
            "next_product": named.take(pa.array(places[:, 0])),
            "new_product_id": ids.take(new_places),
            "new_product": named.take(new_places),
            "ranked_by": pa.repeat("own_products" if model is None else model.ranking, count),
        }
    )
