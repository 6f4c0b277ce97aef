"""Rolling origins: what of a training frame was known at a past date, and customers in folds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

SEED = 20
FOLDS = 3


def known_cutoffs(cutoffs: Iterable[date], horizon_days: int, as_of: date) -> tuple[date, ...]:
    """The cutoffs whose label window [cutoff, cutoff + horizon_days) had ended by `as_of`, ascending."""
    return tuple(sorted(cutoff for cutoff in cutoffs if cutoff + timedelta(days=horizon_days) <= as_of))


def folds_by_customer(customers: NDArray[np.int64], folds: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row, 0 to folds − 1: all rows of a customer share one, and folds differ by at most one customer."""
    unique, numbers = np.unique(customers, return_inverse=True)
    shuffled = np.random.default_rng(SEED).permutation(len(unique))
    fold: NDArray[np.int64] = shuffled[numbers] % folds
    return fold
