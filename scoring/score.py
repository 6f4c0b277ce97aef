"""features + model → scores: one row per customer, in batches, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import numpy as np
import pyarrow as pa

from models.feature_matrix import FEATURES
from models.prediction import Prediction
from models.purchases import Knowledge, has_purchases
from models.serving import Scorer, scorer_for
from models.tastes import category_affinity_of
from regulars.home import Home
from regulars.run import Kind, Run, step
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, NIGHTS
from regulars.warehouse import Warehouse, open_warehouse
from scoring.side_by_side import side_by_side

ROWS_PER_BATCH = 100_000
QUANTILE_COLUMNS = ("value_q50", "value_q80", "value_q90")
NEXT_ORDER_COLUMNS = ("next_order_from_date", "next_order_date", "next_order_until_date")


def score(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Replace the scores of `as_of` by those of the rung that serves it.

    Raises:
        ArtefactError: the promoted model is damaged or does not fit the configuration; no score has changed then.
    """
    with step(home, "score", kind, as_of) as run:
        with open_warehouse(home, role="scorer") as warehouse:
            scorer = scorer_for(home, warehouse, as_of, run.settings)
            count = write_scores(warehouse, run, scorer)
            warehouse.execute(
                f"update {NIGHTS.qualified_name} set model_version = ?, scored_because = ? where as_of_date = ?",
                [scorer.model_version, scorer.why, as_of],
            )
        run.summary = (
            f"{count:,} customers by {scorer.scored_by} ({scorer.model_version}): {scorer.why.removeprefix(scorer.model_version).lstrip()}"
        )


def write_scores(warehouse: Warehouse, run: Run, scorer: Scorer) -> int:
    """Replace the scores of the run's as_of; the number of customers."""
    columns = ", ".join(f"features.{name}" for name in ("customer_id", *(feature.name for feature in FEATURES)))
    features = warehouse.batches(
        f"""
        select {columns}, favourites.favourite_category, favourites.category_affinity
        from {CUSTOMER_FEATURES.qualified_name} as features
        left join ({_favourites(warehouse, run, scorer.model_version)}) as favourites on features.customer_id = favourites.customer_id
        where features.as_of_date = ?
        """,
        [run.as_of],
        rows_per_batch=ROWS_PER_BATCH,
    )
    return warehouse.replace_slice(CUSTOMER_SCORES, run.as_of, scored(features, scorer, run.as_of, run.settings))


def scored(features: Iterable[pa.RecordBatch], scorer: Scorer, as_of: date, settings: HomeSettings) -> Iterator[pa.Table]:
    """Scores for batches of `customer_features` beside favourite_category and category_affinity, as rows of `customer_scores`."""
    yield from side_by_side(lambda batch: _rows(batch, scorer, as_of, settings), features)


def _rows(batch: pa.RecordBatch, scorer: Scorer, as_of: date, settings: HomeSettings) -> pa.Table:
    horizons = settings.prediction
    prediction = scorer.predictor.predict(batch)
    rows = batch.num_rows
    return pa.table(
        {
            "customer_id": batch.column("customer_id"),
            "as_of_date": pa.repeat(pa.scalar(as_of, pa.date32()), rows),
            "churn_probability": prediction.churn_probability,
            "churn_horizon_days": pa.repeat(pa.scalar(horizons.churn_horizon_days, pa.int64()), rows),
            "expected_value": prediction.expected_value,
            "value_horizon_days": pa.repeat(pa.scalar(horizons.value_horizon_days, pa.int64()), rows),
            "value_at_risk": prediction.value_at_risk,
            **_quantiles(prediction),
            "expected_orders_count": prediction.expected_orders,
            **_next_order(prediction, as_of),
            "favourite_category": batch.column("favourite_category"),
            "category_affinity": batch.column("category_affinity"),
            "currency": pa.repeat(settings.shop.currency, rows),
            "model_version": pa.repeat(scorer.model_version, rows),
            "scored_by": pa.repeat(scorer.scored_by, rows),
        }
    )


def _favourites(warehouse: Warehouse, run: Run, model_version: str) -> str:
    """A query of customer_id, favourite_category, category_affinity; without rows where the shop has no categories."""
    if not has_purchases(warehouse, "category"):
        return """
            select '' as customer_id, cast(null as varchar) as favourite_category, cast(null as double precision) as category_affinity
            where 1 = 0
        """
    known = Knowledge.at(warehouse, run.as_of, run.settings.shop.time_zone)
    return category_affinity_of(run.home, model_version).favourites_sql(known)


def _quantiles(prediction: Prediction) -> dict[str, pa.Array]:
    """The quantiles of the value by column, null where the distribution is not known."""
    if prediction.value_quantiles is None:
        return {name: pa.nulls(len(prediction), pa.float64()) for name in QUANTILE_COLUMNS}
    return {name: pa.array(values) for name, values in zip(QUANTILE_COLUMNS, prediction.value_quantiles, strict=True)}


def _next_order(prediction: Prediction, as_of: date) -> dict[str, pa.Array]:
    """The dates of the next order by column: the day of as_of is the first, null for who more probably does not order again."""
    is_unknown = np.isnan(prediction.next_order_days)
    dates = np.datetime64(as_of, "D") + np.where(is_unknown, 0.0, prediction.next_order_days).astype("timedelta64[D]")
    return {
        name: pa.array(values, pa.date32(), mask=mask) for name, values, mask in zip(NEXT_ORDER_COLUMNS, dates, is_unknown, strict=True)
    }
