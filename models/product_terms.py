"""What speaks for a customer and a product: the terms of the lines that rank the next products.

What was bought before and what is new are told by different terms, so each kind has a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.prediction import Figures
from models.product_shelf import Shelf
from models.purchases import Histories, Numbers
from models.term_line import Terms

HALF_LIFE_DAYS = 90.0
"""Of a purchase, as far as it speaks for its neighbours."""

OLD_TERMS, NEW_TERMS = 15, 10


@dataclass(frozen=True)
class ProductTerms:
    """Terms for the customers of some histories and all products of the shelf.

    Attributes:
        histories: what was bought before.
        old: terms of its entries, shape (entries, OLD_TERMS).
        support: how much what the customer bought speaks for each product, shape (customers, products).
        popularity: logarithms of the products' popularity, lately, usually and in the season; shape (3, products).
        habits: logarithms of the days on which any product was bought at most, of different products and of days since the last
            purchase; shape (3, customers).
        liking: logarithm of the product's category's share of what the customer bought; shape (customers, products), or (1, 1)
            where products have no categories.
    """

    histories: Histories
    old: Figures
    support: Terms
    popularity: Terms
    habits: Terms
    liking: Terms

    @classmethod
    def of(cls, histories: Histories, shelf: Shelf, neighbours: NDArray[np.float32], as_of_day: int) -> ProductTerms:
        customers, products, entries = histories.customers_count, len(shelf), histories
        fading = np.exp2((entries.last_day - as_of_day) / HALF_LIFE_DAYS).astype(np.float32)
        bought = csr_matrix((fading, (entries.customer, entries.product)), shape=(customers, products))
        support = bought @ neighbours
        popularity = np.stack(shelf.popularity()).astype(np.float32)
        days = _most(entries.days_count, entries.customer, customers)
        silence = as_of_day - _most(entries.last_day, entries.customer, customers)
        kinds = np.bincount(entries.customer, minlength=customers)
        habits = np.log1p(np.stack([days, kinds, np.maximum(silence, 0)]).astype(np.float32))
        liking = _liking(entries, shelf)
        return cls(histories, _old_terms(histories, support, popularity, habits, liking, as_of_day), support, popularity, habits, liking)

    def new(self) -> tuple[list[Terms], list[Terms], list[Terms]]:
        """The `NEW_TERMS` terms of products not bought before: those of the products, of the customers, and of both."""
        root, kinds = np.sqrt(np.maximum(self.support, 0.0)), self.habits[1][:, None]
        return list(self.popularity[:, None, :]), list(self.habits[:, :, None]), [root, self.support, root * kinds, self.liking]


def _liking(entries: Histories, shelf: Shelf) -> Terms:
    category, categories = shelf.category_numbers()
    if categories == 0:
        return np.zeros((1, 1), dtype=np.float32)
    bought = np.zeros((entries.customers_count, categories + 1))
    np.add.at(bought, (entries.customer, category[entries.product]), entries.days_count)
    usual = np.bincount(category, shelf.sold, categories + 1) / max(shelf.sold.sum(), 1)
    shares = np.log((bought + usual + 1e-6) / (bought.sum(axis=1, keepdims=True) + 1.0)).astype(np.float32)
    liking: Terms = shares[:, category]
    return liking


def _old_terms(entries: Histories, support: Terms, popularity: Terms, habits: Terms, liking: Terms, as_of_day: int) -> Figures:
    times = np.log(entries.days_count)
    ago = np.maximum(as_of_day - entries.last_day, 0)
    gap = (entries.last_day - entries.first_day) / np.maximum(entries.days_count - 1, 1)
    is_single = entries.days_count == 1
    overdue = np.where(is_single, 0.0, np.log((ago + 3.0) / (gap + 3.0)))
    of_customer = habits[:, entries.customer]
    columns = [
        times,
        times**2,
        times - of_customer[0],
        np.log1p(ago),
        *popularity[:, entries.product],
        support[entries.customer, entries.product],
        *of_customer,
        overdue,
        overdue**2,
        is_single,
        np.broadcast_to(liking, support.shape)[entries.customer, entries.product],
    ]
    return np.column_stack(columns).astype(np.float64)


def _most(values: Numbers, customer: Numbers, customers_count: int) -> Numbers:
    most = np.zeros(customers_count, dtype=np.int64)
    np.maximum.at(most, customer, values)
    return most
