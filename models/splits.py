"""Customers in folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20
FOLDS = 3


def folds_by_customer(customers: NDArray[np.int64], folds: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row, 0 to folds − 1: all rows of a customer share one, and folds differ by at most one customer."""
    unique, numbers = np.unique(customers, return_inverse=True)
    shuffled = np.random.default_rng(SEED).permutation(len(unique))
    fold: NDArray[np.int64] = shuffled[numbers] % folds
    return fold


def some_customers(customers: NDArray[np.int64], rows: int) -> NDArray[np.bool_]:
    """Which rows are those of as many whole customers as make about so many rows; all where there are no more."""
    folds = -(-len(customers) // rows)
    chosen: NDArray[np.bool_] = folds_by_customer(customers, max(folds, 1)) == 0
    return chosen
