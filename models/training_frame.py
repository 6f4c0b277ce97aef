"""Features and outcomes of the training cutoffs, joined: what models are fitted on and evaluated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.expectation import HISTORY_COLUMNS, Expected, ObservedLevel, ShopAtDate, level_of, shop_at
from models.feature_matrix import FEATURES, IDENTITY, Rows, numbers
from models.prediction import Figures
from models.training_cutoffs import window_days
from regulars.feature_slices import ROWS_OF_THE_SHOP, SAMPLE_STEPS
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, FEATURE_SLICES
from regulars.warehouse import Warehouse


@dataclass(frozen=True)
class TrainingFrame:
    """n rows, one per customer and cutoff, ordered by customer and cutoff.

    Attributes:
        features: the columns of `FEATURES`.
        customers: number of the row's customer, shape (n,), 0 to the number of customers − 1.
        cutoffs: the row's cutoff, datetime64[D].
        has_churned: no order within the part of the churn horizon that is known.
        value: net revenue over the part of the value horizon that is known, at least 0; NaN where none is.
        churn_horizon_days, value_horizon_days: lengths of the two horizons.
        shops: the shop as a whole at each cutoff and at as_of, with the lengths of the known parts in its levels.
    """

    features: pa.Table
    customers: NDArray[np.int64]
    cutoffs: NDArray[np.datetime64]
    has_churned: NDArray[np.bool_]
    value: Figures
    churn_horizon_days: int
    value_horizon_days: int
    shops: Mapping[date, ShopAtDate]

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
        """What a training at `as_of` could have learned from: rows whose churn was known, with values that were.

        Its `shops` are those of this frame: who asks them for levels must say for when, see `expectation.predicted_level`.
        """
        days = {cutoff: (as_of - cutoff).days for cutoff in self.churn_cutoffs}
        value_known = [cutoff for cutoff, passed in days.items() if _is_within(self.shops[cutoff].value_level, passed)]
        churn_known = [cutoff for cutoff, passed in days.items() if _is_within(self.shops[cutoff].churn_level, passed)]
        value = np.where(np.isin(self.cutoffs, np.array(value_known, dtype="datetime64[D]")), self.value, np.nan)
        return replace(self, value=value).where(np.isin(self.cutoffs, np.array(churn_known, dtype="datetime64[D]")))

    @property
    def cutoff_numbers(self) -> NDArray[np.int64]:
        """The place of each row's cutoff among all, shape (n,)."""
        _, numbers = np.unique(self.cutoffs, return_inverse=True)
        return numbers

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
    warehouse: Warehouse, cutoffs: Sequence[date], as_of: date, churn_horizon_days: int, value_horizon_days: int, max_rows: int
) -> TrainingFrame:
    """One join of features and outcomes; whole customers are sampled when it would have more than `max_rows` rows.

    Only the cutoffs named are read, each with the windows that end by `as_of`: the tables may hold outcomes that became
    known later. The shops are read one date at a time, from as many customers as make ten times those rows.
    """
    horizons = (churn_horizon_days, value_horizon_days)
    windows = [
        (cutoff, window_days(cutoff, as_of, churn_horizon_days), window_days(cutoff, as_of, value_horizon_days)) for cutoff in cutoffs
    ]
    if not windows:
        return _frame(_empty_rows(), *horizons, {})
    sample, of_shop = (_sample(warehouse, cutoffs, rows) for rows in (max_rows, ROWS_OF_THE_SHOP * max_rows))
    shops = {cutoff: _shop_with_levels(warehouse, cutoff, churn, value, of_shop) for cutoff, churn, value in windows}
    histories = f"select {_HISTORY} from {_FEATURES} as features where as_of_date = ? {of_shop} order by customer_id"
    shops[as_of] = shop_at(as_of, warehouse.arrow(histories, [as_of]))
    columns = ", ".join(f"features.{name}" for name in (*IDENTITY, *(feature.name for feature in FEATURES)))
    listed = ", ".join("(cast(? as date), cast(? as bigint), cast(? as bigint))" for _ in windows)
    rows = warehouse.arrow(
        f"""
        with windows (as_of_date, churn_days, value_days) as (values {listed})
        select {columns}, churn.has_churned, value.net_revenue as value
        from {_FEATURES} as features
        join windows on windows.as_of_date = features.as_of_date
        {_OUTCOMES_JOINED}
        where churn.customer_id is not null {sample}
        order by features.customer_id, features.as_of_date
        """,
        [part for window in windows for part in window],
    )
    return _frame(rows, *horizons, shops)


def read_features(warehouse: Warehouse, as_of: date, max_rows: int) -> pa.Table:
    """The features of customers at `as_of`, sampled as a training frame is."""
    columns = ", ".join(feature.name for feature in FEATURES)
    sample = _sample(warehouse, [as_of], max_rows)
    return warehouse.arrow(f"select {columns} from {_FEATURES} as features where as_of_date = ? {sample} order by customer_id", [as_of])


_FEATURES = CUSTOMER_FEATURES.qualified_name
_DRAWN = "substr(md5(features.customer_id), 1, 4)"
_HISTORY = ", ".join(HISTORY_COLUMNS)
_OUTCOMES_JOINED = "\n".join(
    f"""left join {CUSTOMER_OUTCOMES.qualified_name} as {name} on {name}.customer_id = features.customer_id
    and {name}.as_of_date = features.as_of_date and {name}.horizon_days = windows.{name}_days"""
    for name in ("churn", "value")
)


def _shop_with_levels(warehouse: Warehouse, cutoff: date, churn_days: int | None, value_days: int | None, sample: str) -> ShopAtDate:
    """The shop at a cutoff and the level that it came out at."""
    columns = ", ".join(f"features.{name}" for name in HISTORY_COLUMNS)
    rows = warehouse.arrow(
        f"""
        with windows (churn_days, value_days) as (values (cast(? as bigint), cast(? as bigint)))
        select {columns}, churn.has_churned as churn_silent, churn.net_revenue as churn_revenue,
          value.has_churned as value_silent, value.net_revenue as value_revenue
        from {_FEATURES} as features cross join windows {_OUTCOMES_JOINED}
        where features.as_of_date = ? {sample} order by features.customer_id
        """,
        [churn_days, value_days, cutoff],
    )
    shop = shop_at(cutoff, rows)
    expected = shop.expectation.of(rows)
    churn, value = (_observed(rows, expected, *window) for window in (("churn", churn_days), ("value", value_days)))
    return replace(shop, churn_level=churn, value_level=value)


def _observed(rows: Rows, expected: Expected, name: str, days: int | None) -> ObservedLevel | None:
    silent, revenue = (numbers(rows.column(f"{name}_{what}")) for what in ("silent", "revenue"))
    known = ~np.isnan(silent)
    if days is None or not known.any():
        return None
    level = level_of(
        expected.log_odds_of_silence(days)[known], expected.log_value(expected.orders(days))[known], silent[known], revenue[known]
    )
    return ObservedLevel(days, level)


def _is_within(level: ObservedLevel | None, days: int) -> bool:
    return level is not None and level.days <= days


def _sample(warehouse: Warehouse, dates: Sequence[date], max_rows: int) -> str:
    """The condition that draws the customers that make about so many rows at the dates, none where all can be taken.

    What is drawn lies within what the slice of each date was computed of.
    """
    listed = ", ".join("?" for _ in dates)
    slices = f"select min(sampled_below) from {FEATURE_SLICES.qualified_name} where as_of_date in ({listed})"
    below = warehouse.rows(slices, list(dates))[0][0]
    computed = "" if below is None else f"and {_DRAWN} < '{below}'"
    counting = f"select count(*) from {_FEATURES} as features where as_of_date in ({listed}) {computed}"
    rows_count = int(warehouse.rows(counting, list(dates))[0][0])
    if rows_count <= max_rows:
        return computed
    steps = SAMPLE_STEPS if below is None else int(below, 16)
    return f"and {_DRAWN} < '{int(steps * max_rows / rows_count):04x}'"


def _frame(rows: pa.Table, churn_horizon_days: int, value_horizon_days: int, shops: Mapping[date, ShopAtDate]) -> TrainingFrame:
    ids = rows.column("customer_id").cast(pa.string()).combine_chunks()
    return TrainingFrame(
        features=rows.select([feature.name for feature in FEATURES]),
        customers=pc.dictionary_encode(ids).indices.to_numpy(zero_copy_only=False).astype(np.int64),
        cutoffs=rows.column("as_of_date").to_numpy().astype("datetime64[D]"),
        has_churned=rows.column("has_churned").cast(pa.uint8()).to_numpy().astype(bool),
        value=np.maximum(numbers(rows.column("value")), 0.0),
        churn_horizon_days=churn_horizon_days,
        value_horizon_days=value_horizon_days,
        shops=shops,
    )


def _empty_rows() -> pa.Table:
    types: dict[str, pa.DataType] = {feature.name: pa.string() if feature.kind == "category" else pa.float64() for feature in FEATURES}
    types |= {"customer_id": pa.string(), "as_of_date": pa.date32(), "has_churned": pa.bool_(), "value": pa.float64()}
    return pa.schema(list(types.items())).empty_table()
