"""The scores of one date: statistics, histograms, how they fit the features, and how they follow those of the last good night."""

from __future__ import annotations

from datetime import date

from quality.baseline import PassedNight
from quality.column_statistics import BEYOND_ANY_SHOP, column_aggregates, measure, measure_histograms, measure_violations
from quality.profile import WHOLE_TABLE, Profile
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES
from regulars.warehouse import Warehouse

TABLE = CUSTOMER_SCORES.name
PROFILED = tuple(column for column in CUSTOMER_SCORES.columns if column.name != CUSTOMER_SCORES.slice_by)
PREDICTED = tuple(
    CUSTOMER_SCORES.column(name) for name in ("churn_probability", "expected_value", "value_at_risk", "expected_orders_count")
)
"""What must be told of every customer, and differs between them. A quantile may be 0 for all, and need not be known."""
RELATION = f"{CUSTOMER_SCORES.qualified_name} where as_of_date = ?"


def measure_scores(warehouse: Warehouse, as_of: date, settings: HomeSettings, before: PassedNight | None) -> Profile:
    """The profile of the scores of `as_of`."""
    profile = Profile(as_of)
    statistics = {
        (WHOLE_TABLE, "rows_count"): "count(*)",
        (WHOLE_TABLE, "distinct_count"): "count(distinct customer_id)",
        ("model_version", "distinct_count"): "count(distinct model_version)",
        ("scored_by", "distinct_count"): "count(distinct scored_by)",
    }
    statistics |= {name: aggregate for column in PROFILED for name, aggregate in column_aggregates(column)}
    measure(warehouse, profile, TABLE, statistics, RELATION, [as_of])
    measure_histograms(warehouse, profile, TABLE, PREDICTED, RELATION, [as_of])
    measure_violations(warehouse, profile, TABLE, promises(settings), RELATION, [as_of])
    _measure_customers(warehouse, profile)
    if before is not None:
        _measure_continuity(warehouse, profile, before.as_of)
    return profile


def promises(settings: HomeSettings) -> dict[str, str]:
    """Words → SQL condition of a row that keeps the promise."""
    prediction = settings.prediction
    return {
        "the churn horizon is the configured one": f"churn_horizon_days = {prediction.churn_horizon_days}",
        "the value horizon is the configured one": f"value_horizon_days = {prediction.value_horizon_days}",
        "amounts are in the shop's currency": f"currency = '{settings.shop.currency}'",
        "the quantiles of the value are all stated or none": (
            "(value_q50 is null) = (value_q80 is null) and (value_q50 is null) = (value_q90 is null)"
        ),
        "the quantiles of the value ascend from 0": (
            f"value_q50 >= 0 and value_q50 <= value_q80 and value_q80 <= value_q90 and value_q90 <= {BEYOND_ANY_SHOP:.0f}"
        ),
        "the dates of the next order are all stated or none": (
            "(next_order_date is null) = (next_order_from_date is null) and (next_order_date is null) = (next_order_until_date is null)"
        ),
        "the next order lies in its interval, and that in the value horizon": (
            "next_order_from_date >= as_of_date and next_order_from_date <= next_order_date and next_order_date <= next_order_until_date "
            "and next_order_until_date - as_of_date < value_horizon_days"
        ),
        "a favourite category has its affinity, a probability": (
            "(favourite_category is null) = (category_affinity is null) and coalesce(category_affinity, 0) between 0 and 1"
        ),
        "no more is at risk than is expected of who orders": "churn_probability > 0 or abs(value_at_risk) <= 0.01",
    }


def _measure_customers(warehouse: Warehouse, profile: Profile) -> None:
    """Who has features has a score, and nobody else; who has been silent for longer is likelier to have churned."""
    columns = (
        "features.customer_id as known_id, scores.customer_id as scored_id, scores.*, features.orders_90d_count, features.historic_value"
    )
    query = f"""
        select
            count(*) filter (where scored_id is null),
            count(*) filter (where known_id is null),
            corr(churn_probability, cast(orders_90d_count as double precision)),
            corr(ln(1 + abs(expected_value)), ln(1 + abs(historic_value)))
        from (
            select {columns}
            from (select * from {CUSTOMER_FEATURES.qualified_name} where as_of_date = ?) as features
            full outer join (
                select * from {CUSTOMER_SCORES.qualified_name}
                where as_of_date = ? and abs(churn_probability) <= 1 and abs(expected_value) < 1000000000000000
            ) as scores on features.customer_id = scores.customer_id
        ) as joined"""
    names = ("unscored_count", "unknown_count", "churn_follows_orders", "value_follows_spend")
    for name, value in zip(names, warehouse.rows(query, [profile.as_of, profile.as_of])[0], strict=True):
        if value is not None:
            profile.values[TABLE, WHOLE_TABLE, name] = round(float(value), 6)


def _measure_continuity(warehouse: Warehouse, profile: Profile, before: date) -> None:
    """How the scores of the same customers go together with those of the last good night."""
    columns = ", ".join(f"corr(ln(1 + abs(tonight.{column.name})), ln(1 + abs(earlier.{column.name})))" for column in PREDICTED)
    query = f"""
        select count(*), {columns}
        from (select * from {CUSTOMER_SCORES.qualified_name} where as_of_date = ? and abs(churn_probability) <= 1) as tonight
        inner join (select * from {CUSTOMER_SCORES.qualified_name} where as_of_date = ? and abs(churn_probability) <= 1) as earlier
            on tonight.customer_id = earlier.customer_id
        where abs(tonight.expected_value) < 1000000000000000 and abs(tonight.value_at_risk) < 1000000000000000"""
    row = warehouse.rows(query, [profile.as_of, before])[0]
    profile.values[TABLE, WHOLE_TABLE, "scored_before_count"] = float(row[0])
    for column, value in zip(PREDICTED, row[1:], strict=True):
        if value is not None:
            profile.values[TABLE, column.name, "follows_last_night"] = round(float(value), 6)
