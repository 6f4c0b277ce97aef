"""Which products a customer buys next: what was bought before and what is new, each by a line of its own, ranked together.

Both lines are logistic regressions of what was bought within the horizon after a past cutoff, so that their log odds compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.prediction import Figures
from models.product_shelf import Shelf
from models.product_terms import NEW_TERMS, OLD_TERMS, ProductTerms
from models.purchases import Histories
from models.term_line import TermLine, Terms
from regulars.errors import ArtefactError

Ranking = Literal["blend", "own_products", "last_category", "popularity"]

SEED = 20
NEW_PER_CUSTOMER = 200
"""Products not bought before that a customer shows to the fit, drawn from all; each stands for as many more."""

CELLS_PER_PART = 100_000
"""Customers times products that are held at once: they stay in a processor's cache."""

Purchased = NDArray[np.bool_]


@dataclass(frozen=True)
class NextProducts:
    """What ranks products.

    Attributes:
        ranking: what serves: the blend of both lines, or what proved no worse at the cutoff.
        products, neighbours: the ids that the weights of `product_neighbours.neighbours_of` are of.
    """

    ranking: Ranking
    horizon_days: int
    old: TermLine
    new: TermLine
    products: tuple[str, ...]
    neighbours: csr_matrix

    def neighbours_on(self, shelf: Shelf) -> csr_matrix:
        """The weights between the products of another shelf; one that has come since has none."""
        number = {product: place for place, product in enumerate(self.products)}
        places = np.array([number.get(product, -1) for product in shelf.ids], dtype=np.int64)
        known = np.flatnonzero(places >= 0)
        chosen = csr_matrix((np.ones(len(known), np.float32), (known, places[known])), shape=(len(shelf), len(self.products)))
        moved: csr_matrix = (chosen @ self.neighbours @ chosen.T).tocsr()
        moved.sort_indices()
        return moved

    def to_json(self) -> bytes:
        """All that is needed to rank."""
        described = {
            "ranking": self.ranking,
            "horizon_days": self.horizon_days,
            "old": {"constant": self.old.constant, "weights": self.old.weights},
            "new": {"constant": self.new.constant, "weights": self.new.weights},
            "products": self.products,
            "neighbours": {
                "starts": self.neighbours.indptr.tolist(),
                "products": self.neighbours.indices.tolist(),
                "weights": [round(float(weight), 5) for weight in self.neighbours.data],
            },
        }
        return (json.dumps(described, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> NextProducts:
        """What `to_json` described; its hash must have been checked before.

        Raises:
            ArtefactError: its lines have other terms than this version's.
        """
        described: Mapping[str, Any] = json.loads(content)
        lines = {name: TermLine(described[name]["constant"], tuple(described[name]["weights"])) for name in ("old", "new")}
        if (len(lines["old"].weights), len(lines["new"].weights)) != (OLD_TERMS, NEW_TERMS):
            raise ArtefactError("the next products were learned by another version of Regulars; train anew with `make train`")
        parts = described["neighbours"]
        products = tuple(described["products"])
        weights = np.array(parts["weights"], dtype=np.float32)
        neighbours = csr_matrix((weights, parts["products"], parts["starts"]), shape=(len(products), len(products)))
        return cls(described["ranking"], described["horizon_days"], **lines, products=products, neighbours=neighbours)


@dataclass(frozen=True)
class Ranked:
    """Scores of all products of the shelf for some customers, the first of whom has the number `first`; shape (customers, products)."""

    first: int
    scores: Terms
    has_bought: Purchased


def ranked(histories: Histories, shelf: Shelf, model: NextProducts | None, as_of_day: int, ranking: Ranking) -> Iterator[Ranked]:
    """Scores by the ranking, in parts of bounded size.

    Args:
        model: None where nothing was learned; then the ranking must not be the blend.
    """
    neighbours = model.neighbours_on(shelf).toarray() if model is not None and ranking == "blend" else None
    customers = max(1, CELLS_PER_PART // max(len(shelf), 1))
    for first in range(0, histories.customers_count, customers):
        part = histories.part(first, min(first + customers, histories.customers_count))
        has_bought = np.zeros((part.customers_count, len(shelf)), dtype=bool)
        has_bought[part.customer, part.product] = True
        scores: Terms
        if model is not None and neighbours is not None:
            scores = _blended(model, ProductTerms.of(part, shelf, neighbours, as_of_day))
        else:
            scores = np.tile(_popular(shelf), (part.customers_count, 1))
            if ranking == "own_products":
                scores[part.customer, part.product] += _own_first(part, as_of_day)
            elif ranking == "last_category":
                scores += _of_last_category(part, shelf)
        yield Ranked(first, scores, has_bought)


def _own_first(histories: Histories, as_of_day: int) -> Figures:
    """What puts products bought before others: the more often the higher, then the later."""
    ago = np.maximum(as_of_day - histories.last_day, 0)
    return 1e6 * histories.days_count + 1e2 * (1e3 - np.minimum(ago, 999))


def best(scores: Terms, count: int) -> NDArray[np.int64]:
    """The numbers of each row's highest scores, the highest first, of equal ones the more popular; shape (rows, at most `count`)."""
    left, rows = scores.copy(), np.arange(len(scores))
    places = np.empty((len(scores), min(count, scores.shape[1])), dtype=np.int64)
    # To find a few of hundreds one after the other is several times as fast as to part each row in two.
    for place in range(places.shape[1]):
        places[:, place] = left.argmax(axis=1)
        left[rows, places[:, place]] = -np.inf
    return places


def fit_lines(
    histories: Histories, shelf: Shelf, neighbours: csr_matrix, as_of_day: int, purchased: csr_matrix, customers: NDArray[np.bool_]
) -> tuple[TermLine, TermLine]:
    """The lines of what was bought before and of what is new, from what the customers went on to buy.

    Every customer weighs the same, whatever was bought.

    Args:
        purchased: what was bought within the horizon, shape (all customers, products).
        customers: whom to learn from.
    """
    chance = np.random.default_rng(SEED)
    old: list[tuple[Figures, Figures, Figures]] = []
    new: list[tuple[Figures, Figures, Figures]] = []
    weights_between = neighbours.toarray()
    step = max(1, CELLS_PER_PART // max(len(shelf), 1))
    for first in range(0, histories.customers_count, step):
        end = min(first + step, histories.customers_count)
        part, bought = histories.part(first, end), purchased[first:end].toarray() > 0
        terms = ProductTerms.of(part, shelf, weights_between, as_of_day)
        weight = customers[first:end] / np.maximum(bought.sum(axis=1), 1)
        old.append((terms.old, bought[part.customer, part.product].astype(np.float64), weight[part.customer]))
        is_new = np.ones(bought.shape, dtype=bool)
        is_new[part.customer, part.product] = False
        drawn = min(1.0, NEW_PER_CUSTOMER / max(len(shelf), 1))
        rows, products = np.nonzero(is_new & (bought | (chance.random(bought.shape) < drawn)))
        shown = [np.broadcast_to(term, bought.shape)[rows, products] for run in terms.new() for term in run]
        is_bought = bought[rows, products]
        new.append((np.column_stack(shown), is_bought.astype(np.float64), weight[rows] * np.where(is_bought, 1.0, 1.0 / drawn)))
    return _fitted(old, OLD_TERMS), _fitted(new, NEW_TERMS)


def _fitted(parts: list[tuple[Figures, Figures, Figures]], terms_count: int) -> TermLine:
    terms, outcome, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    used = weight > 0
    if not outcome[used].any():
        return TermLine(-30.0, (0.0,) * terms_count)
    return TermLine.fitted(terms[used], outcome[used], weight[used])


def _blended(model: NextProducts, terms: ProductTerms) -> Terms:
    scores = model.new.of(*terms.new())
    entries = terms.histories
    scores[entries.customer, entries.product] = model.old.of(list(terms.old.T))
    return scores


def _popular(shelf: Shelf) -> Figures:
    """0 to 1, and what is sold lately before what is sold as often."""
    sold = shelf.sold + shelf.sold_lately / (shelf.sold_lately.sum() + 1.0)
    popular: Figures = sold / (sold.max() + 1.0) if len(sold) else sold
    return popular


def _of_last_category(histories: Histories, shelf: Shelf) -> Figures:
    """1 for products of the category that was bought most of on the last day, shape (customers, products)."""
    category, categories = shelf.category_numbers()
    last = np.zeros(histories.customers_count, dtype=np.int64)
    np.maximum.at(last, histories.customer, histories.last_day)
    is_last = (histories.last_day == last[histories.customer]) & (category[histories.product] < categories)
    counts = np.zeros((histories.customers_count, categories + 1), dtype=np.int64)
    np.add.at(counts, (histories.customer[is_last], category[histories.product][is_last]), 1)
    favourite = np.where(counts.any(axis=1), counts.argmax(axis=1), categories)
    favoured: Figures = ((category[None, :] == favourite[:, None]) & (category < categories)).astype(np.float64)
    return favoured
