"""What customers like: category affinity and next products, learned in a training and kept in files beside its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from models.category_affinity import CategoryAffinity
from models.category_affinity_training import learn_category_affinity, read_next_categories
from models.next_products import NextProducts
from models.next_products_training import learn_next_products, read_product_history
from models.registry import UNTRAINED, file_of
from regulars.home import Home
from regulars.run import Run
from regulars.warehouse import open_warehouse

CATEGORY_AFFINITY, NEXT_PRODUCTS = "category_affinity.json", "next_products.json"


@dataclass(frozen=True)
class Tastes:
    """What a training has learned of the shop's customers.

    Attributes:
        files: by name; without those that the shop could not be asked for, having no categories or too few customers.
        facts: what the model card tells of them, as plain JSON.
        evaluations: (cutoff, predictor, metric, value) on customers that they were not learned from.
    """

    files: Mapping[str, bytes]
    facts: Mapping[str, Any]
    evaluations: tuple[tuple[date, str, str, float], ...]


def learn_tastes(run: Run) -> Tastes:
    """Category affinity and next products for the run's as_of."""
    files: dict[str, bytes] = {}
    facts: dict[str, Any] = {}
    evaluations: list[tuple[date, str, str, float]] = []
    with open_warehouse(run.home, role="scorer") as warehouse:
        next_categories = read_next_categories(warehouse, run.as_of, run.settings)
        product_history = read_product_history(warehouse, run.as_of, run.settings)
    # The warehouse is let go before the learning: nobody else could use it meanwhile.
    affinity = None if next_categories is None else learn_category_affinity(next_categories)
    products = None if product_history is None else learn_next_products(product_history)
    for name, learned, content in (
        (CATEGORY_AFFINITY, affinity, None if affinity is None else affinity.affinity.to_json()),
        (NEXT_PRODUCTS, products, None if products is None else products.model.to_json()),
    ):
        if learned is None or content is None:
            continue
        files[name] = content
        facts[name.removesuffix(".json")] = {
            "cutoff": learned.cutoff.isoformat(),
            "customers": learned.buyers_count,
            "metrics": learned.metrics,
        }
        evaluations += [(learned.cutoff, who, metric, value) for who, by in learned.metrics.items() for metric, value in by.items()]
    if products is not None:
        facts["next_products"]["ranked_by"] = products.model.ranking
    return Tastes(files, facts, tuple(evaluations))


def category_affinity_of(home: Home, version: str) -> CategoryAffinity:
    """What the training of that version learned; the share of past orders where it learned nothing."""
    content = _file(home, version, CATEGORY_AFFINITY)
    return CategoryAffinity() if content is None else CategoryAffinity.from_json(content)


def next_products_of(home: Home, version: str) -> NextProducts | None:
    """What the training of that version learned; None where it learned nothing."""
    content = _file(home, version, NEXT_PRODUCTS)
    return None if content is None else NextProducts.from_json(content)


def _file(home: Home, version: str, name: str) -> bytes | None:
    return None if version in UNTRAINED else file_of(home, version, name)
