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
