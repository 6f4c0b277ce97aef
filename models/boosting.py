"""Gradient-boosted trees with the number of rounds chosen on customers that they were not fitted on.

Settings measured on several shops: shallow trees, strong regularisation, no feature arithmetic. XGBoost: T. Chen and
C. Guestrin (2016), XGBoost: A Scalable Tree Boosting System.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.feature_matrix import Matrix
from models.prediction import Figures
from models.shallow_trees import MAX_DEPTH, ShallowTrees
from models.splits import FOLDS, SEED, folds_by_customer
from regulars.errors import ArtefactError

THREADS = 2
"""Fixed: how sums are split over threads decides their last bits, and a training must repeat on any machine."""

TREES_A_ROUND = 4
"""Each sees its own sample of rows and columns, and a round is their mean: who stands in the top tenth of a small shop hung on the seed."""

LEARNING_RATE = 0.1
MOST_ROUNDS = 400
ROUNDS_BETWEEN_EVALUATIONS = 5
EVALUATIONS_WITHOUT_GAIN = 6


@dataclass(frozen=True)
class Objective:
    """What the trees minimise and what chooses their number."""

    parameters: Mapping[str, object]
    monotone: Mapping[str, int]
    """By feature: 1 where the margin may only rise with it, -1 where it may only fall."""


@dataclass(frozen=True)
class Fitted:
    """Trees, and what those fitted without a customer say of it: how well they predict is seen on these alone."""

    trees: ShallowTrees
    unseen: Figures
    """Margin of each row, shape (n,)."""


@dataclass(frozen=True)
class Columns:
    """Names and XGBoost types of the matrix's columns."""

    names: list[str]
    types: list[str]


class Learner:
    """Fits boosters on rows that are binned once, however many objectives and offsets they are fitted for."""

    def __init__(self, matrix: Matrix, customers: NDArray[np.int64], columns: Columns):
        """
        Args:
            matrix: shape (n, features).
            customers: shape (n,); rows of one customer are always left out together.
        """
        self._columns = columns
        fold = folds_by_customer(customers)
        parts = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]
        self._parts = [(inside, outside) for inside, outside in parts if len(inside) and len(outside)]
        self._folds = [_seen_and_unseen(matrix, columns, *part) for part in self._parts]
        self._all = _binned(matrix, columns)

    def fit(self, label: Figures, offset: Figures, objective: Objective) -> Fitted:
        """Fit what an offset leaves over, with as many rounds as serve customers best that were left out.

        Args:
            label: shape (n,), in the objective's unit.
            offset: shape (n,), the margin before any tree.
        """
        parameters = _parameters(objective, self._columns, len(label))
        for rows, pair in zip(self._parts, self._folds, strict=True):
            for part, data in zip(rows, pair, strict=True):
                data.set_info(label=label[part], base_margin=offset[part])
        boosters = [xgb.Booster(parameters, cache=list(pair)) for pair in self._folds]
        rounds = _best_rounds(boosters, self._folds)
        unseen = offset.astype(np.float64)
        for booster, (_, outside), (_, data) in zip(boosters, self._parts, self._folds, strict=True):
            unseen[outside] = booster.predict(data, output_margin=True, iteration_range=(0, rounds))
        del boosters
        self._all.set_info(label=label, base_margin=offset)
        booster = xgb.train(parameters | {"num_parallel_tree": TREES_A_ROUND}, self._all, num_boost_round=rounds)
        booster.feature_names = self._columns.names
        return Fitted(ShallowTrees.of(booster), unseen)


def margins(trees: ShallowTrees, matrix: Matrix, offset: Figures, columns: Columns) -> Figures:
    """The trees' margin on top of the offset for each row, shape (n,): the same whatever rows stand beside it."""
    if trees.names != columns.names:
        raise ArtefactError("the trees were fitted on other columns than they are to predict from. Train anew with `make train`")
    # Trees are added to 0 and the offset to their sum: one float32 of both would round amounts of a trillion.
    margin: Figures = offset + trees.margins(matrix).astype(np.float64)
    return margin


def _best_rounds(boosters: list[xgb.Booster], data: list[tuple[xgb.DMatrix, xgb.DMatrix]]) -> int:
    best, best_rounds, without_gain = np.inf, 1, 0
    for done in range(MOST_ROUNDS):
        for booster, (seen, _) in zip(boosters, data, strict=True):
            booster.update(seen, done)
        if (done + 1) % ROUNDS_BETWEEN_EVALUATIONS:
            continue
        loss = sum(_loss(booster, unseen) * unseen.num_row() for booster, (_, unseen) in zip(boosters, data, strict=True))
        if loss < best:
            best, best_rounds, without_gain = loss, done + 1, 0
        else:
            without_gain += 1
            if without_gain == EVALUATIONS_WITHOUT_GAIN:
                break
    return best_rounds


def _loss(booster: xgb.Booster, unseen: xgb.DMatrix) -> float:
    """The mean loss that XGBoost tells, as in `[0]\teval-logloss:0.5`."""
    return float(booster.eval(unseen).rsplit(":", 1)[1])


def _parameters(objective: Objective, columns: Columns, rows: int) -> dict[str, object]:
    return {
        "tree_method": "hist",
        "max_depth": MAX_DEPTH,
        "eta": LEARNING_RATE,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "lambda": 10.0,
        "min_child_weight": float(np.clip(rows / 400, 10, 50)),
        "monotone_constraints": "(" + ",".join(str(objective.monotone.get(name, 0)) for name in columns.names) + ")",
        "seed": SEED,
        "nthread": THREADS,
        "verbosity": 0,
        "base_score": 0.5,  # without effect beside a margin, but written: a later XGBoost may estimate one
    } | dict(objective.parameters)


def _seen_and_unseen(
    matrix: Matrix, columns: Columns, inside: NDArray[np.intp], outside: NDArray[np.intp]
) -> tuple[xgb.DMatrix, xgb.DMatrix]:
    seen = _binned(matrix[inside], columns)
    return seen, _binned(matrix[outside], columns, seen)


def _binned(matrix: Matrix, columns: Columns, like: xgb.DMatrix | None = None) -> xgb.DMatrix:
    """The data in the trees' bins, a quarter of its size; what was left out takes the bins of what is learned from.

    Without names: XGBoost compares them at every round, which takes as long as a round of a small shop.
    """
    return xgb.QuantileDMatrix(matrix, ref=like, nthread=THREADS, feature_types=columns.types, enable_categorical=True)
