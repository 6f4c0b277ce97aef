"""Which products speak for which: a ridge regression of every product on all others (EASE, Steck 2019), in closed form.

What is bought with everything speaks for nothing, since the others explain it: that is what co-occurrence counts cannot tell.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import inv
from scipy.sparse import csr_matrix

from models.purchases import Histories

HALF_LIFE_DAYS = 180.0
RIDGE = 100.0
"""Customers' worth of doubt; from 50 to 200 makes no difference on Online Retail II."""

MOST_BOUGHT = 100
"""Products of one customer that are looked at, the latest: a wholesale buyer of a thousand says little of any."""

MOST_NEIGHBOURS = 50
DECIMALS = 5


def neighbours_of(histories: Histories, products_count: int, as_of_day: int) -> csr_matrix:
    """Weights, shape (products, products): how much having bought the row's product speaks for the column's.

    Of each row the `MOST_NEIGHBOURS` largest are kept, by size, and rounded, so that an artefact is small.
    """
    lately = histories.latest(MOST_BOUGHT)
    weights = np.exp2((lately.last_day - as_of_day) / (2 * HALF_LIFE_DAYS)).astype(np.float32)
    bought = csr_matrix((weights, (lately.customer, lately.product)), shape=(histories.customers_count, products_count))
    together = (bought.T @ bought).toarray().astype(np.float64)
    together[np.diag_indices(products_count)] += RIDGE
    inverse = inv(together, overwrite_a=True, check_finite=False)
    found = -inverse / np.diagonal(inverse)[None, :]
    np.fill_diagonal(found, 0.0)
    if products_count > MOST_NEIGHBOURS:
        sizes = np.abs(found)
        found[sizes < np.partition(sizes, -MOST_NEIGHBOURS, axis=1)[:, -MOST_NEIGHBOURS][:, None]] = 0.0
    return csr_matrix(np.round(found, DECIMALS).astype(np.float32))
