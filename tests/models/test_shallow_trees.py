"""Trees walked by columns: what XGBoost says of any row, to the last bit."""

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shallow_trees import MAX_DEPTH, ROWS_AT_ONCE, ShallowTrees
from regulars.errors import ArtefactError

CATEGORIES = 12


def matrix_of(rows: int, seed: int) -> np.ndarray:
    """A column each of numbers, of whole numbers, of categories and of what is mostly missing; any of them may be missing."""
    chance = np.random.default_rng(seed)
    columns = [
        chance.normal(size=rows) * 1e3,
        chance.integers(0, 5, rows),
        chance.integers(0, CATEGORIES, rows),
        np.where(chance.random(rows) < 0.8, np.nan, chance.random(rows)),
    ]
    matrix = np.column_stack(columns).astype(np.float32)
    matrix[chance.random(matrix.shape) < 0.1] = np.nan
    return matrix


def fitted(seed: int, depth: int = MAX_DEPTH, rounds: int = 25) -> xgb.Booster:
    matrix = matrix_of(3_000, seed)
    label = np.nan_to_num(matrix[:, 0]) / 1e3 + np.isin(matrix[:, 2], [1, 4, 7]) - np.isnan(matrix[:, 1]) * (matrix[:, 2] > 5)
    data = xgb.QuantileDMatrix(matrix, label, feature_names=list("abcd"), feature_types=["q", "q", "c", "q"], enable_categorical=True)
    return xgb.train({"max_depth": depth, "seed": seed, "subsample": 0.5, "nthread": 1}, data, rounds)


def margins_of(booster: xgb.Booster, matrix: np.ndarray) -> np.ndarray:
    zero = np.zeros(len(matrix), np.float32)
    found: np.ndarray = booster.inplace_predict(matrix, predict_type="margin", base_margin=zero)
    return found


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), depth=st.integers(1, MAX_DEPTH))
def test_margins_are_those_of_xgboost_to_the_bit(seed: int, depth: int) -> None:
    booster, matrix = fitted(seed, depth), matrix_of(500, seed + 1)
    trees = ShallowTrees.of(booster)
    assert any(split.categories for tree in trees.trees for split in tree.splits.values())
    assert np.array_equal(trees.margins(matrix), margins_of(booster, matrix))


def test_each_row_is_the_same_whatever_rows_stand_beside_it() -> None:
    trees, matrix = ShallowTrees.of(fitted(1)), matrix_of(ROWS_AT_ONCE + 100, 2)
    whole = trees.margins(matrix)
    assert np.array_equal(whole[ROWS_AT_ONCE - 50 :], trees.margins(matrix[ROWS_AT_ONCE - 50 :]))
    assert np.array_equal(whole[::-1], trees.margins(matrix[::-1]))
    assert trees.margins(matrix[:0]).shape == (0,)


def test_what_is_too_deep_is_refused() -> None:
    with pytest.raises(ArtefactError, match=f"deeper than {MAX_DEPTH} splits"):
        ShallowTrees.of(fitted(1, MAX_DEPTH + 2))
