"""What each concept contributes to a customer's log odds of churn, against those of a typical customer of the shop.

Contributions are Shapley values of concepts that come from the customer or else from the typical one, so that they add up to the
difference of the two log odds: TreeSHAP for the trees, weight times difference for the line, and over all coalitions of the few
concepts that it knows for what the order history alone tells, buy-till-you-die or the formula. The members' are averaged by the
weights of the blend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import factorial
from typing import Protocol

import numpy as np
import pyarrow as pa
from scipy.special import logit

from models.arithmetic import on_one_thread
from models.concepts import CONCEPT_OF, CONCEPTS, HISTORY_CONCEPTS, replaced
from models.feature_matrix import Rows
from models.offsets import Offsets
from models.prediction import Figures
from models.serving import Predictor
from models.trained_model import TrainedModel
from models.tree_contributions import TreeContributions

NEAREST_TO_CERTAIN = 1e-9
PLACES = {concept: place for place, concept in enumerate(CONCEPTS)}


class Contributions(Protocol):
    def of(self, rows: Rows) -> Figures:
        """By concept, in the order of `CONCEPTS`, shape (concepts, n): each row's the same whatever rows stand beside it."""


def churn_log_odds(predictor: Predictor, rows: Rows) -> Figures:
    """Log odds of churn, shape (n,): finite, for a predictor that is certain too."""
    if isinstance(predictor, TrainedModel):
        return predictor.churn_log_odds(rows)
    odds: Figures = logit(np.clip(predictor.predict(rows).churn_probability, NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN))
    return odds


def churn_contributions(predictor: Predictor, typical: pa.Table) -> Contributions:
    """What concepts contribute to the log odds of churn, against the `typical` customer, a single row of `customer_features`."""
    if isinstance(predictor, TrainedModel):
        return BlendContributions(predictor, typical)
    return HistoryContributions(lambda changed: churn_log_odds(predictor, changed), typical)


class HistoryContributions:
    """Exact Shapley values of the concepts of the order history, over all their coalitions."""

    def __init__(self, value: Callable[[pa.Table], Figures], typical: pa.Table):
        """
        Args:
            value: of rows, and of nothing in them but their order history.
        """
        self._value = value
        self._typical = typical

    def of(self, rows: Rows) -> Figures:
        players = HISTORY_CONCEPTS
        worth = {frozenset(kept): self._value(replaced(rows, set(players) - set(kept), self._typical)) for kept in _subsets(players)}
        found = np.zeros((len(CONCEPTS), rows.num_rows))
        for player in players:
            for others in _subsets([one for one in players if one != player]):
                weight = factorial(len(others)) * factorial(len(players) - len(others) - 1) / factorial(len(players))
                found[PLACES[player]] += weight * (worth[frozenset({*others, player})] - worth[frozenset(others)])
        return found


class BlendContributions:
    def __init__(self, model: TrainedModel, typical: pa.Table):
        matrix, columns, _ = model.seen(typical)
        concepts = [PLACES[CONCEPT_OF[name]] for name in columns.names]
        churn = model.churn
        members = (("trees_on_offset", churn.on_offset), ("trees_alone", churn.alone))
        self._model = model
        self._trees = [
            (churn.weights[member], TreeContributions(trees, concepts, matrix)) for member, trees in members if trees is not None
        ]
        self._history = HistoryContributions(lambda changed: self._of_offsets(model.offsets(changed)), typical)
        self._own_terms = {} if churn.line is None else churn.line.own_terms(matrix, columns.names)

    def of(self, rows: Rows) -> Figures:
        with on_one_thread():
            matrix, columns, _ = self._model.seen(rows)
            churn = self._model.churn
            found = self._history.of(rows)
            for weight, trees in self._trees:
                found += weight * trees.of(matrix, len(CONCEPTS))
            if churn.line is not None:
                for name, terms in churn.line.own_terms(matrix, columns.names).items():
                    found[PLACES[CONCEPT_OF[name]]] += churn.weights["line"] * (terms - self._own_terms[name])
            return found

    def _of_offsets(self, offsets: Offsets) -> Figures:
        """What the weighted members take from buy-till-you-die: the offset of all but the trees by themselves, and the line's terms."""
        churn = self._model.churn
        found: Figures = (1.0 - churn.weights["trees_alone"]) * offsets.churn
        return found if churn.line is None else found + churn.weights["line"] * churn.line.offset_terms(offsets)


def _subsets(of: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (chosen for size in range(len(of) + 1) for chosen in combinations(of, size))
