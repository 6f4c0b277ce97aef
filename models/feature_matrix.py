"""Rows of `customer_features` as the matrix that a model reads; the same in training and in scoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.prediction import Figures
from regulars.tables import CUSTOMER_FEATURES

Matrix = NDArray[np.float32]
Rows: TypeAlias = pa.Table | pa.RecordBatch

IDENTITY = ("customer_id", "as_of_date")
OTHER_CODE = 0
MOST_CATEGORIES = 50
FEWEST_ROWS_OF_A_CATEGORY = 30
LARGEST_FEATURE = 1e30
"""XGBoost refuses infinite features, and float32 ends at 3e38."""


@dataclass(frozen=True)
class Feature:
    name: str
    kind: Literal["number", "category"]


FEATURES = tuple(
    Feature(column.name, "category" if column.type == "text" else "number")
    for column in CUSTOMER_FEATURES.columns
    if column.name not in IDENTITY
)
"""What models learn from: every column of the contract but the identity. A feature added there is learned from at the next training."""


@dataclass(frozen=True)
class FeatureEncoding:
    """How the features of one training become numbers.

    `categories` maps each category feature to its known values; a value's code is its position + 1, any other value's
    code is `OTHER_CODE`, and a missing one stays missing.
    """

    features: tuple[Feature, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def learned_from(cls, rows: Rows) -> FeatureEncoding:
        """The encoding whose known categories are the most frequent ones in `rows`; equal counts go by name."""
        names = [feature.name for feature in FEATURES if feature.kind == "category"]
        return cls(FEATURES, {name: _frequent_values(rows.column(name)) for name in names})

    @property
    def feature_types(self) -> list[str]:
        """XGBoost's type of each column: quantitative or categorical."""
        return ["c" if feature.kind == "category" else "q" for feature in self.features]

    @property
    def feature_names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def matrix(self, rows: Rows) -> Matrix:
        """Shape (rows, features); NaN where a value is missing."""
        matrix = np.empty((rows.num_rows, len(self.features)), dtype=np.float32)
        for position, feature in enumerate(self.features):
            column = rows.column(feature.name)
            values = self._codes(feature.name, column) if feature.kind == "category" else numbers(column)
            matrix[:, position] = np.clip(values, -LARGEST_FEATURE, LARGEST_FEATURE)
        return matrix

    def _codes(self, name: str, column: pa.ChunkedArray | pa.Array) -> Figures:
        positions = pc.index_in(column, value_set=pa.array(self.categories[name], pa.string()))
        codes = pc.add(pc.fill_null(positions, OTHER_CODE - 1), 1)
        return numbers(pc.if_else(pc.is_null(column), pa.scalar(None, codes.type), codes))


def numbers(column: pa.ChunkedArray | pa.Array) -> Figures:
    """A numeric or boolean column as float64, null as NaN."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    values: Figures = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _frequent_values(column: pa.ChunkedArray | pa.Array) -> tuple[str, ...]:
    counted = [(entry["values"], entry["counts"]) for entry in pc.value_counts(column.cast(pa.string())).to_pylist()]
    frequent = [(-count, value) for value, count in counted if value is not None and count >= FEWEST_ROWS_OF_A_CATEGORY]
    return tuple(value for _, value in sorted(frequent)[:MOST_CATEGORIES])
