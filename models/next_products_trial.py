"""How often one of the first products is what a customer goes on to buy, against simpler rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.next_products import NextProducts, Purchased, Ranking, best, ranked
from models.product_shelf import Shelf
from models.purchases import Histories
from models.term_line import Terms

HIT_PLACES = (5, 10)
PREDICTOR = "our_model"
BASELINES: tuple[Ranking, ...] = ("own_products", "last_category", "popularity")

Hits = Mapping[tuple[str, str], NDArray[np.bool_]]
"""By predictor and metric: whether one of the first places was bought, shape (customers,)."""


@dataclass(frozen=True)
class Purchases:
    """Customers at a past cutoff who bought within the horizon after it, and what: shape (customers, products)."""

    histories: Histories
    shelf: Shelf
    day: int
    purchased: csr_matrix


def hits_of(past: Purchases, model: NextProducts) -> Hits:
    """Of the blend, the customers' own products, what is popular, and what is popular in the category bought last.

    `hit_rate_5` is of all products, `new_hit_rate_5` of those that the customer had not bought before: whoever buys none of
    these counts as missed.
    """
    found: dict[tuple[str, str], list[NDArray[np.bool_]]] = {}
    has_categories = any(past.shelf.categories)
    baselines = [baseline for baseline in BASELINES if has_categories or baseline != "last_category"]
    for name, ranking in ((PREDICTOR, "blend"), *((baseline, baseline) for baseline in baselines)):
        for part in ranked(past.histories, past.shelf, model, past.day, ranking):
            _judge(found, name, past, part.first, part.scores, part.has_bought)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def ranking_of(hits: Hits, customers: NDArray[np.bool_]) -> Ranking:
    """What should serve by the customers' hits: the blend when it hits more often than the best of the baselines."""
    rates = {
        name: float(np.mean([hits[name, f"hit_rate_{places}"][customers].mean() for places in HIT_PLACES]))
        for name in (PREDICTOR, *BASELINES)
        if (name, f"hit_rate_{HIT_PLACES[0]}") in hits
    }
    baseline = max((name for name in BASELINES if name in rates), key=lambda name: rates[name])
    return "blend" if rates[PREDICTOR] > rates[baseline] else baseline


def _judge(
    found: dict[tuple[str, str], list[NDArray[np.bool_]]], name: str, past: Purchases, first: int, scores: Terms, has_bought: Purchased
) -> None:
    bought = past.purchased[first : first + len(scores)].toarray() > 0
    for metric, eligible, outcome in (
        ("hit_rate", scores, bought),
        ("new_hit_rate", np.where(has_bought, -np.inf, scores), bought & ~has_bought),
    ):
        places = best(eligible, max(HIT_PLACES))
        hit: Purchased = np.take_along_axis(outcome, places, axis=1)
        for count in HIT_PLACES:
            found.setdefault((name, f"{metric}_{count}"), []).append(np.asarray(hit[:, :count].any(axis=1)))
