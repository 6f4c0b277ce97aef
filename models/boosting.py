"""Gradient-boosted trees with the number of rounds chosen on customers that they were not fitted on.

Settings measured on several shops: shallow trees, strong regularisation, no feature arithmetic. XGBoost: T. Chen and
C. Guestrin (2016), XGBoost: A Scalable Tree Boosting System.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.feature_matrix import Matrix
from models.prediction import Figures
from models.splits import FOLDS, SEED, folds_by_customer

THREADS = 2
"""Fixed: how sums are split over threads decides their last bits, and a training must repeat on any machine."""

MOST_ROUNDS = 600
ROUNDS_BETWEEN_EVALUATIONS = 5
EVALUATIONS_WITHOUT_GAIN = 6


@dataclass(frozen=True)
class Objective:
    """What the trees minimise and what chooses their number."""

    parameters: Mapping[str, object]
    monotone: Mapping[str, int]
    """By feature: 1 where the margin may only rise with it, -1 where it may only fall."""


@dataclass(frozen=True)
class Columns:
    """Names and XGBoost types of the matrix's columns."""

    names: list[str]
    types: list[str]


@dataclass(frozen=True)
class Fitted:
    """A booster and, for each row that it was fitted on, the margin that boosters fitted on other customers give, shape (n,)."""

    booster: xgb.Booster
    unseen_margin: Figures


def fit(matrix: Matrix, label: Figures, customers: NDArray[np.int64], columns: Columns, objective: Objective, base_score: float) -> Fitted:
    """Fit on all rows, with as many rounds as serve customers best that were left out.

    Args:
        matrix: shape (n, features).
        label: shape (n,), in the objective's unit.
        base_score: the prediction before any tree, in the same unit.
        customers: shape (n,); rows of one customer are always left out together.
    """
    parameters = _parameters(objective, columns, len(label)) | {"base_score": base_score}
    fold = folds_by_customer(customers)
    parts = [(fold != number, fold == number) for number in range(FOLDS)]
    parts = [(inside, outside) for inside, outside in parts if inside.any() and outside.any()]
    data = [_seen_and_unseen(matrix, label, columns, inside, outside) for inside, outside in parts]
    boosters = [xgb.Booster(parameters, cache=list(pair)) for pair in data]
    rounds = _best_rounds(boosters, data)
    margin = np.zeros(len(label))
    for booster, (_, unseen), (_, outside) in zip(boosters, data, parts, strict=True):
        margin[outside] = booster.predict(unseen, output_margin=True, iteration_range=(0, rounds))
    del boosters, data
    booster = xgb.train(parameters, _binned(matrix, label, columns), num_boost_round=rounds)
    return Fitted(booster, margin)


def margins(booster: xgb.Booster, matrix: Matrix, columns: Columns) -> Figures:
    """The booster's margin for each row, shape (n,): the same whatever rows stand beside it."""
    if len(matrix) == 0:
        return np.zeros(0)
    margin: Figures = booster.predict(xgb.DMatrix(matrix, nthread=THREADS, **_described(columns)), output_margin=True).astype(np.float64)
    return margin


def to_json(booster: xgb.Booster) -> bytes:
    """The booster as JSON: in the binary format a flipped bit can crash the process that reads it."""
    return bytes(booster.save_raw(raw_format="json"))


def from_json(content: bytes) -> xgb.Booster:
    """The booster that `to_json` wrote; its hash must have been checked before."""
    booster = xgb.Booster({"nthread": THREADS})
    booster.load_model(bytearray(content))
    return booster


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
        "max_depth": 3,
        "eta": 0.1,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "lambda": 10.0,
        "min_child_weight": float(np.clip(rows / 400, 10, 50)),
        "monotone_constraints": "(" + ",".join(str(objective.monotone.get(name, 0)) for name in columns.names) + ")",
        "seed": SEED,
        "nthread": THREADS,
        "verbosity": 0,
    } | dict(objective.parameters)


def _seen_and_unseen(
    matrix: Matrix, label: Figures, columns: Columns, inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[xgb.DMatrix, xgb.DMatrix]:
    seen = _binned(matrix[inside], label[inside], columns)
    return seen, _binned(matrix[outside], label[outside], columns, seen)


def _binned(matrix: Matrix, label: Figures, columns: Columns, like: xgb.DMatrix | None = None) -> xgb.DMatrix:
    """The data in the trees' bins, a quarter of its size; what was left out takes the bins of what is learned from."""
    return xgb.QuantileDMatrix(matrix, label=label, ref=like, nthread=THREADS, **_described(columns))


def _described(columns: Columns) -> dict[str, Any]:
    return {"feature_names": columns.names, "feature_types": columns.types, "enable_categorical": True}
