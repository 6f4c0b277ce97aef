"""A shop whose customers behave by a known law, so that a test knows what a model can find and a formula cannot.

The chance of churn rises with the overdue ratio and depends on the last category and the share of discounted orders,
which no baseline looks at; what is spent depends on the average order value and on the last category.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.serving import Scorer, scorer_for
from models.training_cutoffs import training_cutoffs, window_days
from models.training_frame import TrainingFrame, read_features, read_training_frame
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, Table
from regulars.warehouse import Warehouse, open_warehouse
from regulars.warehouse.duckdb import COLUMN_TYPES

AS_OF = date(2024, 6, 1)
CHURN_DAYS = 60
VALUE_DAYS = 120
FIRST_ORDER = date(2023, 1, 1)
LOYAL_CATEGORY, FICKLE_CATEGORY = "coffee", "gadgets"
ARROW_TYPES = {"text": pa.string(), "integer": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "date": pa.date32()}


def write_configuration(folder: Path, **training: Any) -> Home:
    """A home with short horizons, so that few cutoffs make a training."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "shop.yml").write_text("name: Test\ntime_zone: Europe/London\ncurrency: EUR\n")
    settings = {"cutoffs_count": 6, "cutoff_step_days": 28, "min_customers": 100, "min_outcomes": 50} | training
    lines = "".join(f"  {key}: {value}\n" for key, value in settings.items())
    (folder / "config" / "prediction.yml").write_text(
        f"churn_horizon_days: {CHURN_DAYS}\nvalue_horizon_days: {VALUE_DAYS}\nformula_lifespan_years: 2\ntraining:\n{lines}"
    )
    return Home.at(folder)


def features_at(as_of: date, customers: int, seed: int = 1) -> pa.Table:
    """Rows of customer_features for customers c0000, c0001, …, every column filled."""
    rng = np.random.default_rng([seed, as_of.toordinal()])
    columns: dict[str, Any] = {}
    for column in CUSTOMER_FEATURES.columns:
        if column.type == "integer":
            columns[column.name] = rng.integers(0, 20, customers)
        elif column.type == "double":
            columns[column.name] = rng.gamma(2.0, 1.0, customers)
        elif column.type == "boolean":
            columns[column.name] = rng.random(customers) < 0.1
    gap = rng.gamma(4.0, 10.0, customers) + 5
    overdue = rng.gamma(1.5, 1.0, customers)
    order_value = rng.lognormal(4.0, 0.6, customers)
    columns |= {
        "customer_id": [f"c{number:05}" for number in range(customers)],
        "as_of_date": [as_of] * customers,
        "usual_gap_days": gap,
        "overdue_ratio": overdue,
        "days_since_last_order": (overdue * gap).astype(int),
        "customer_age_days": rng.integers(200, 700, customers),  # a closed cohort: its level is that of the past windows
        "average_order_value": order_value,
        "formula_value": order_value * 365 / gap * 2,
        "last_category": rng.choice([LOYAL_CATEGORY, FICKLE_CATEGORY, "books"], customers).tolist(),
        "top_category": [None] * customers,
        "discounted_orders_share": rng.random(customers),
    }
    schema = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in CUSTOMER_FEATURES.columns])
    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema=schema)


def churn_law(features: pa.Table) -> np.ndarray:
    """The true churn probability of each row."""
    category = np.array(features.column("last_category").to_pylist())
    logit = (
        0.9 * (features.column("overdue_ratio").to_numpy() - 1.5)
        + 1.5 * (category == FICKLE_CATEGORY)
        - 1.5 * (category == LOYAL_CATEGORY)
        + 3.0 * (features.column("discounted_orders_share").to_numpy() - 0.5)
    )
    return 1 / (1 + np.exp(-logit))


def outcomes_of(features: pa.Table, horizons: Sequence[int] = (CHURN_DAYS, VALUE_DAYS), seed: int = 2) -> pa.Table:
    """Rows of customer_outcomes by the law; revenue grows with the horizon, and some come back after the churn horizon."""
    as_of = features.column("as_of_date")[0].as_py()
    rng = np.random.default_rng([seed, as_of.toordinal()])
    churned = rng.random(features.num_rows) < churn_law(features)
    comes_back = rng.random(features.num_rows) < 0.3
    category = np.array(features.column("last_category").to_pylist())
    spend = (
        features.column("average_order_value").to_numpy()
        * np.where(category == LOYAL_CATEGORY, 2.0, 1.0)
        * rng.gamma(4.0, 0.25, len(churned))
    )
    tables = []
    for days in sorted(set(horizons)):
        ordered = ~churned | (comes_back if days > CHURN_DAYS else False)
        revenue = np.where(~churned, spend * days / CHURN_DAYS, np.where(ordered, spend * 0.5, 0.0))
        tables.append(
            pa.table(
                {
                    "customer_id": features.column("customer_id"),
                    "as_of_date": features.column("as_of_date"),
                    "horizon_days": pa.array([days] * len(churned), pa.int64()),
                    "orders_count": pa.array(ordered.astype(int), pa.int64()),
                    "has_churned": pa.array(~ordered),
                    "net_revenue": pa.array(revenue),
                }
            )
        )
    return pa.concat_tables(tables)


def create(warehouse: Warehouse, table: Table) -> None:
    """The table as dbt would make it, empty."""
    columns = ", ".join(f"{column.name} {COLUMN_TYPES[column.type]}" for column in table.columns)
    warehouse.execute(f"create schema if not exists {table.schema}")
    warehouse.execute(f"create or replace table {table.qualified_name} ({columns})")


def fill(home: Home, customers: int, as_of: date = AS_OF, first_order: date = FIRST_ORDER) -> list[date]:
    """Features and outcomes of the training cutoffs, and the features of `as_of`; the cutoffs."""
    prediction = HomeSettings(home).prediction
    cutoffs = training_cutoffs(prediction, as_of, first_order)
    with open_warehouse(home) as warehouse:
        land_first_order(warehouse, first_order)
        create(warehouse, CUSTOMER_FEATURES)
        create(warehouse, CUSTOMER_OUTCOMES)
        for day in [*cutoffs, as_of]:
            features = features_at(day, customers)
            warehouse.append(CUSTOMER_FEATURES, features)
            horizons = [days for horizon in (CHURN_DAYS, VALUE_DAYS) if (days := window_days(day, as_of, horizon))] if day < as_of else []
            if horizons:
                warehouse.append(CUSTOMER_OUTCOMES, outcomes_of(features, horizons))
    return cutoffs


def land_first_order(warehouse: Warehouse, day: date) -> None:
    warehouse.execute(
        "insert into raw.order_lines by name select 's' as source, 'k' as record_key, 'h' as content_hash,"
        " cast(? as timestamp) as event_at, cast(? as timestamp) as known_at, true as is_known_at_assumed, 'r' as run_id,"
        " 'o' as order_id, 'l' as line_id, cast(? as timestamp) as ordered_at, 1 as quantity, 1 as unit_price,"
        " 1 as net_revenue, 'EUR' as currency",
        [day, day, day],
    )


def frame_of(home: Home, as_of: date = AS_OF) -> TrainingFrame:
    """What a training at `as_of` reads."""
    prediction = HomeSettings(home).prediction
    cutoffs = training_cutoffs(prediction, as_of, FIRST_ORDER)
    with open_warehouse(home, read_only=True) as warehouse:
        return read_training_frame(
            warehouse, cutoffs, as_of, prediction.churn_horizon_days, prediction.value_horizon_days, prediction.training.max_rows
        )


def scorer_at(home: Home, as_of: date = AS_OF, version: str | None = None) -> Scorer:
    """What scores a night."""
    with open_warehouse(home, read_only=True) as warehouse:
        return scorer_for(home, warehouse, as_of, HomeSettings(home), version)


def now_of(home: Home, as_of: date = AS_OF) -> pa.Table:
    """The features of as_of that a training reads."""
    with open_warehouse(home, read_only=True) as warehouse:
        return read_features(warehouse, as_of, HomeSettings(home).prediction.training.max_rows)
