"""Rows of `customer_features` as the matrix that a model reads; the same in training and in scoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
ROWS_AT_ONCE = 4096
LARGEST_FEATURE = np.float32(1e30)
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

    def matrix(self, rows: Rows, beside: Sequence[Figures] = ()) -> Matrix:
        """Shape (rows, features and what is to stand beside them); NaN where a value is missing."""
        columns = [*(self._values(feature, rows.column(feature.name)) for feature in self.features), *beside]
        matrix = np.empty((rows.num_rows, len(columns)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for part in parts_of(len(matrix)):
                for position, values in enumerate(columns):
                    matrix[part, position] = values[part]
                np.clip(matrix[part], -LARGEST_FEATURE, LARGEST_FEATURE, out=matrix[part])
        return matrix

    def _values(self, feature: Feature, column: pa.ChunkedArray | pa.Array) -> NDArray[np.generic]:
        if feature.kind == "category":
            return self._codes(feature.name, column)
        is_as_it_is = pa.types.is_integer(column.type) and column.null_count == 0
        return column.to_numpy() if is_as_it_is else numbers(column)

    def _codes(self, name: str, column: pa.ChunkedArray | pa.Array) -> Figures:
        positions = pc.index_in(column, value_set=pa.array(self.categories[name], pa.string()))
        codes = pc.add(pc.fill_null(positions, OTHER_CODE - 1), 1)
        return numbers(pc.if_else(pc.is_null(column), pa.scalar(None, codes.type), codes))


def parts_of(rows: int) -> Iterator[slice]:
    """Parts of so many rows that stay in a processor's cache while one column after the other is written or read."""
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE))


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
