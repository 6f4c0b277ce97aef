"""TreeSHAP for trees so shallow that everything a tree can say of a customer fits into a table.

Interventional TreeSHAP against one background row (S. Lundberg et al. (2020), From local explanations to global understanding with
explainable AI for trees): the Shapley values of the margin when columns come from the customer or else from the background. The players
are concepts, groups of columns that come together. A customer is known to a tree by which way each of its splits sends them, a
pattern of a few bits, so that the values are computed for all patterns once and then looked up: twenty times as fast as XGBoost's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np
from numpy.typing import NDArray

from models.feature_matrix import Matrix
from models.prediction import Figures
from models.shallow_trees import LEAVES, MAX_DEPTH, SPLITS, ShallowTrees, Tree, by_columns

NONE = -1
"""In place of the concept of a split that a tree does not have."""

FIRST = np.array([[factorial(a - 1) * factorial(b) / factorial(a + b) if a else 0.0 for b in range(LEAVES)] for a in range(LEAVES)])
"""Weight of a leaf for one of the `a` concepts that must be the customer's to reach it, where `b` others must not."""


class TreeContributions:
    """What each concept adds to the margin of some trees, against the background."""

    def __init__(self, trees: ShallowTrees, concepts: Sequence[int], background: Matrix):
        """
        Args:
            concepts: the number of each column's concept.
            background: a single row.
        """
        self._trees = trees.trees
        columns = np.ascontiguousarray(background.T)
        patterns = np.array([tree.patterns(columns)[0] for tree in self._trees], dtype=np.intp)
        self._players = [sorted({concepts[split.column] for split in tree.splits.values()}) for tree in self._trees]
        self._tables = _tables(self._trees, concepts, patterns)

    def of(self, matrix: Matrix, concepts_count: int) -> Figures:
        """Shape (concepts, n), each row's the same whatever rows stand beside it."""
        found = np.zeros((concepts_count, len(matrix)))
        for part, columns in by_columns(matrix):
            for number, (tree, players) in enumerate(zip(self._trees, self._players, strict=True)):
                patterns = tree.patterns(columns).astype(np.intp)
                for concept in players:
                    found[concept, part] += self._tables[concept, number].take(patterns, mode="wrap")
        return found


def _tables(trees: Sequence[Tree], concepts: Sequence[int], background: NDArray[np.intp]) -> Figures:
    """By concept, tree and pattern.

    A leaf is reached where every concept on its path comes from somebody whom it sends there: the customer, the background, or
    whichever of both. Those that must be the customer's share its value, and those that must be the background's its loss.
    """
    of_split = np.array(
        [[concepts[tree.splits[place].column] if place in tree.splits else NONE for place in range(SPLITS)] for tree in trees]
    )
    leaves = np.array([tree.leaves for tree in trees]).reshape(len(trees), LEAVES)
    of_split = of_split.reshape(len(trees), SPLITS)
    patterns = np.arange(2**SPLITS)
    found = np.zeros((len(concepts) and max(concepts) + 1, len(trees), len(patterns)))
    for leaf in range(LEAVES):
        path = [(2**depth - 1 + (leaf >> (MAX_DEPTH - depth)), leaf >> (MAX_DEPTH - 1 - depth) & 1) for depth in range(MAX_DEPTH)]
        customers = [np.broadcast_to((patterns >> place & 1) == way, (len(trees), len(patterns))) for place, way in path]
        backgrounds = [np.broadcast_to(((background >> place & 1) == way)[:, None], (len(trees), len(patterns))) for place, way in path]
        of_path = [of_split[:, place, None] for place, _ in path]
        is_reached, gains, losses = np.ones((len(trees), len(patterns)), dtype=np.bool_), [], []
        for depth in range(MAX_DEPTH):
            same = [of_path[other] == of_path[depth] for other in range(MAX_DEPTH)]
            is_first = ~np.any([same[other] for other in range(depth)], axis=0) if depth else np.True_
            by_customer = np.all([customers[other] | ~same[other] for other in range(MAX_DEPTH)], axis=0)
            by_background = np.all([backgrounds[other] | ~same[other] for other in range(MAX_DEPTH)], axis=0)
            is_reached &= by_customer | by_background
            gains.append(is_first & by_customer & ~by_background)
            losses.append(is_first & by_background & ~by_customer)
        gaining, losing = np.sum(gains, axis=0), np.sum(losses, axis=0)
        value = np.where(is_reached, leaves[:, leaf, None], 0.0)
        gain, loss = value * FIRST[gaining, losing], value * FIRST[losing, gaining]
        for depth in range(MAX_DEPTH):
            share = np.where(gains[depth], gain, 0.0) - np.where(losses[depth], loss, 0.0)
            for concept in range(len(found)):
                found[concept] += np.where(of_path[depth] == concept, share, 0.0)
    return found
