"""The typical customers of a shop on one date, whom the others are held against: one who will probably order, and one who will not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.contributions import Contributions, churn_contributions, churn_log_odds
from models.feature_matrix import FEATURES, Feature
from models.serving import Predictor
from models.training_frame import read_features
from regulars.warehouse import Warehouse

MOST_ROWS = 20_000
FEWEST_SHARE = 0.1
"""Of the customers: where fewer than these will probably order, the tenth that does so most probably stands for them; as for the others."""


@dataclass(frozen=True)
class TypicalCustomer:
    """A single row of features, each value the median of its kind, so that no customer need be like that; and what concepts
    contribute against it."""

    features: pa.Table
    contributions: Contributions


Opposites = Mapping[bool, TypicalCustomer]
"""Against whom reasons are told, by whether a customer is at risk: why, where others are not, or the other way round."""


def opposites_of(warehouse: Warehouse, as_of: date, predictor: Predictor) -> Opposites:
    """The typical customers of `as_of`, which has at least one customer, by a sample of them that is always the same."""
    rows = read_features(warehouse, as_of, MOST_ROWS)
    log_odds = churn_log_odds(predictor, rows)
    low, high = np.quantile(log_odds, (FEWEST_SHARE, 1 - FEWEST_SHARE))
    kinds = {True: log_odds <= max(low, 0.0), False: log_odds >= min(high, 0.0)}
    typical = {is_at_risk: _typical(rows.filter(pa.array(kind))) for is_at_risk, kind in kinds.items()}
    return {is_at_risk: TypicalCustomer(one, churn_contributions(predictor, one)) for is_at_risk, one in typical.items()}


def _typical(rows: pa.Table) -> pa.Table:
    return pa.table({feature.name: _middle(rows.column(feature.name), feature) for feature in FEATURES})


def _middle(column: pa.ChunkedArray, feature: Feature) -> pa.Array:
    """The lower median, or of categories the most frequent one; null where most have none."""
    known = column.drop_null()
    if 2 * len(known) < len(column):
        return pa.nulls(1, column.type)
    if feature.kind == "category":
        counted = [(-entry["counts"], entry["values"]) for entry in pc.value_counts(known).to_pylist()]
        return pa.array([min(counted)[1]], column.type)
    values: NDArray[np.float64] = np.sort(known.cast(pa.float64()).to_numpy())
    return pa.array([values[(len(values) - 1) // 2]]).cast(column.type, safe=False)
