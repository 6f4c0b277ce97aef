"""XGBoost's trees, walked for many customers at once: the same margins to the last bit, in two fifths of the time.

A tree of three splits in a row asks seven questions at most. All are asked of everybody, which is a comparison of a column each, and
the answers are the bits of a number that tells the leaf. What XGBoost does, to walk down each tree with each row, pays for trees that
are deeper (docs/adr/0009-trees-walked-by-columns.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.feature_matrix import Matrix
from regulars.errors import ArtefactError

MAX_DEPTH = 3
SPLITS = 2**MAX_DEPTH - 1
LEAVES = 2**MAX_DEPTH
NO_CHILD = -1
ROWS_AT_ONCE = 100_000
"""Between two operations threads that work side by side wait for each other, so few on much are better than many on little."""

Patterns = NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    """Sends right who is at or above the threshold, or of one of the categories; a missing value goes where it says."""

    column: int
    threshold: np.float32
    categories: tuple[np.float32, ...] | None
    is_missing_right: bool

    def sends_right(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        if self.categories is None:
            # A missing value is neither below the threshold nor above it.
            return ~(values < self.threshold) if self.is_missing_right else values >= self.threshold
        right = np.isnan(values) if self.is_missing_right else np.zeros(len(values), dtype=np.bool_)
        for category in self.categories:
            right |= values == category
        return right


@dataclass(frozen=True)
class Tree:
    """The splits that there are, by their place in a complete tree (0 the root, 2 k + 1 and 2 k + 2 below k), and all its leaves.

    Where there is no split everybody goes left.
    """

    splits: Mapping[int, Split]
    leaves: Sequence[float]

    @cached_property
    def by_pattern(self) -> NDArray[np.float32]:
        """What the tree adds to the margin, by pattern."""
        patterns = np.arange(2**SPLITS)
        place = np.zeros_like(patterns)
        for _ in range(MAX_DEPTH):
            place = 2 * place + 1 + (patterns >> place & 1)
        leaves: NDArray[np.float32] = np.array(self.leaves, dtype=np.float32)[place - SPLITS]
        return leaves

    def patterns(self, columns: Matrix) -> Patterns:
        """Bit k of each row: whether split k sends it right. `columns` has a row for each column of the matrix."""
        found = np.zeros(columns.shape[1], dtype=np.uint8)
        for place in reversed(range(SPLITS)):
            found += found
            if place in self.splits:
                split = self.splits[place]
                found |= split.sends_right(columns[split.column]).view(np.uint8)
        return found


@dataclass(frozen=True)
class ShallowTrees:
    """The trees of a booster that was fitted on columns of these names."""

    names: list[str]
    trees: Sequence[Tree]
    content: bytes
    """The booster as JSON: in the binary format a flipped bit can crash the process that reads it."""

    @classmethod
    def of(cls, booster: xgb.Booster) -> ShallowTrees:
        return cls.from_json(bytes(booster.save_raw(raw_format="json")))

    @classmethod
    def from_json(cls, content: bytes) -> ShallowTrees:
        """Those of the booster that XGBoost wrote; its hash must have been checked before.

        Raises:
            ArtefactError: a tree is deeper than `MAX_DEPTH`.
        """
        learner = json.loads(content)["learner"]
        trees = [_tree(one) for one in learner["gradient_booster"]["model"]["trees"]]
        return cls(learner["feature_names"], trees, content)

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """The sum of what the trees add, shape (n,): in their order and in single precision, as XGBoost adds them up."""
        found = np.zeros(len(matrix), dtype=np.float32)
        for part, columns in by_columns(matrix):
            for tree in self.trees:
                found[part] += tree.by_pattern.take(tree.patterns(columns).astype(np.intp), mode="wrap")
        return found


def by_columns(matrix: Matrix) -> Iterator[tuple[slice, Matrix]]:
    """Parts of the matrix's rows, each with a row for each of its columns."""
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield part, np.ascontiguousarray(matrix[part].T)


def _tree(described: Mapping[str, Any]) -> Tree:
    splits: dict[int, Split] = {}
    leaves = [0.0] * LEAVES
    segments = zip(described["categories_nodes"], described["categories_segments"], described["categories_sizes"], strict=True)
    categories = {node: tuple(map(np.float32, described["categories"][start : start + size])) for node, start, size in segments}
    waiting = [(0, 0, 0)]
    while waiting:
        node, place, depth = waiting.pop()
        left, right = described["left_children"][node], described["right_children"][node]
        if left == NO_CHILD:
            first = (place + 1 - 2**depth) << (MAX_DEPTH - depth)
            leaves[first] = float(np.float32(described["split_conditions"][node]))
            continue
        if depth == MAX_DEPTH:
            raise ArtefactError(f"a tree of the model is deeper than {MAX_DEPTH} splits. Train anew with `make train`")
        splits[place] = Split(
            described["split_indices"][node],
            np.float32(described["split_conditions"][node]),
            categories.get(node),
            not described["default_left"][node],
        )
        waiting += [(left, 2 * place + 1, depth + 1), (right, 2 * place + 2, depth + 1)]
    return Tree(splits, leaves)
