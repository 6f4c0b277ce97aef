"""Features and outcomes of the training cutoffs, joined: what models are fitted on and evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.feature_matrix import FEATURES, IDENTITY, numbers
from models.prediction import Figures
from models.splits import known_cutoffs
from models.training_cutoffs import ValueHorizon
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_OUTCOMES
from regulars.warehouse import Warehouse

SAMPLE_STEPS = 16**4
"""Customers are sampled by the first four digits of the MD5 of their id: the same ones at every cutoff and every training."""


@dataclass(frozen=True)
class TrainingFrame:
    """n rows, one per customer and cutoff, ordered by customer and cutoff.

    Attributes:
        features: the columns of `FEATURES`.
        customers: number of the row's customer, shape (n,), 0 to the number of customers − 1.
        cutoffs: the row's cutoff, datetime64[D].
        has_churned: no order within the churn horizon.
        value: net revenue over the learned value horizon, at least 0; NaN where that horizon has not passed.
        churn_horizon_days, value_horizon_days: lengths of the two label windows.
    """

    features: pa.Table
    customers: NDArray[np.int64]
    cutoffs: NDArray[np.datetime64]
    has_churned: NDArray[np.bool_]
    value: Figures
    churn_horizon_days: int
    value_horizon_days: int

    def __len__(self) -> int:
        return len(self.customers)

    def where(self, chosen: NDArray[np.bool_]) -> TrainingFrame:
        """The chosen rows."""
        return replace(
            self,
            features=self.features.filter(pa.array(chosen)),
            customers=self.customers[chosen],
            cutoffs=self.cutoffs[chosen],
            has_churned=self.has_churned[chosen],
            value=self.value[chosen],
        )

    def is_at(self, cutoff: date) -> NDArray[np.bool_]:
        """Which rows are the cutoff's."""
        at: NDArray[np.bool_] = self.cutoffs == np.datetime64(cutoff, "D")
        return at

    def known_at(self, as_of: date) -> TrainingFrame:
        """What a training at `as_of` could have learned from: rows whose churn was known, with values that were."""
        dates = self.churn_cutoffs
        churn_known = np.array(known_cutoffs(dates, self.churn_horizon_days, as_of), dtype="datetime64[D]")
        value_known = np.array(known_cutoffs(dates, self.value_horizon_days, as_of), dtype="datetime64[D]")
        value = np.where(np.isin(self.cutoffs, value_known), self.value, np.nan)
        return replace(self, value=value).where(np.isin(self.cutoffs, churn_known))

    @property
    def churn_cutoffs(self) -> list[date]:
        """The cutoffs, ascending."""
        dates: list[date] = np.unique(self.cutoffs).tolist()
        return dates

    @property
    def value_cutoffs(self) -> list[date]:
        """The cutoffs whose values are known, ascending."""
        dates: list[date] = np.unique(self.cutoffs[self.has_value]).tolist()
        return dates

    @property
    def has_value(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.value)


def read_training_frame(
    warehouse: Warehouse, cutoffs: Sequence[date], churn_horizon_days: int, value_horizon: ValueHorizon, max_rows: int
) -> TrainingFrame:
    """One join of features and outcomes; whole customers are sampled when it would have more than `max_rows` rows.

    Only the cutoffs named are read, and value labels only of `value_horizon.cutoffs`: the tables may hold outcomes that
    became known later than the training's as_of.
    """
    if not cutoffs:
        return _frame(_empty_rows(), churn_horizon_days, value_horizon.days)
    dates = ", ".join("?" for _ in cutoffs)
    value_dates = ", ".join("?" for _ in value_horizon.cutoffs) or "null"
    columns = ", ".join(f"features.{name}" for name in (*IDENTITY, *(feature.name for feature in FEATURES)))
    counted = f"select count(*) from {CUSTOMER_FEATURES.qualified_name} where as_of_date in ({dates})"
    rows_count = warehouse.rows(counted, list(cutoffs))[0][0]
    sample = ""
    if rows_count > max_rows:
        sample = f"and substr(md5(features.customer_id), 1, 4) < '{int(SAMPLE_STEPS * max_rows / rows_count):04x}'"
    return _frame(
        warehouse.arrow(
            f"""
            select {columns}, churn.has_churned, value.net_revenue as value
            from {CUSTOMER_FEATURES.qualified_name} as features
            join {CUSTOMER_OUTCOMES.qualified_name} as churn
              on churn.customer_id = features.customer_id and churn.as_of_date = features.as_of_date and churn.horizon_days = ?
            left join {CUSTOMER_OUTCOMES.qualified_name} as value
              on value.customer_id = features.customer_id and value.as_of_date = features.as_of_date and value.horizon_days = ?
              and value.as_of_date in ({value_dates})
            where features.as_of_date in ({dates}) {sample}
            order by features.customer_id, features.as_of_date
            """,
            [churn_horizon_days, value_horizon.days, *value_horizon.cutoffs, *cutoffs],
        ),
        churn_horizon_days,
        value_horizon.days,
    )


def _frame(rows: pa.Table, churn_horizon_days: int, value_horizon_days: int) -> TrainingFrame:
    ids = rows.column("customer_id").cast(pa.string()).combine_chunks()
    return TrainingFrame(
        features=rows.select([feature.name for feature in FEATURES]),
        customers=pc.dictionary_encode(ids).indices.to_numpy(zero_copy_only=False).astype(np.int64),
        cutoffs=rows.column("as_of_date").to_numpy().astype("datetime64[D]"),
        has_churned=rows.column("has_churned").cast(pa.uint8()).to_numpy().astype(bool),
        value=np.maximum(numbers(rows.column("value")), 0.0),
        churn_horizon_days=churn_horizon_days,
        value_horizon_days=value_horizon_days,
    )


def _empty_rows() -> pa.Table:
    types: dict[str, pa.DataType] = {feature.name: pa.string() if feature.kind == "category" else pa.float64() for feature in FEATURES}
    types |= {"customer_id": pa.string(), "as_of_date": pa.date32(), "has_churned": pa.bool_(), "value": pa.float64()}
    return pa.schema(list(types.items())).empty_table()
