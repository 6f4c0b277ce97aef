"""Drift of the calibration: how the latest predictions whose horizon has passed came out. It warns, and asks for a training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from quality.limits import GateLimits
from quality.profile import WHOLE_TABLE, Profile
from quality.rule import BEYOND_ANY_SHOP, Rule
from regulars.hindsight import (
    COLUMNS,
    IS_BEYOND,
    Target,
    are_orders_at_hand,
    judged_customers,
    judged_nights,
    outcome_columns,
    outcome_of,
)
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_SCORES
from regulars.warehouse import Warehouse

TABLE = CUSTOMER_SCORES.name
MISS = "hindsight_factor_off"
"""The factor by which the horizon's orders, or its revenue, are off what was said, beyond chance; 1 where they are not."""
LIMIT = "hindsight_limit"
PROMISES: dict[Target, str] = {
    "churn": "as many customers have ordered as was said",
    "value": "as much has come in as was said",
}


def measure_hindsight(warehouse: Warehouse, tonight: Profile, settings: HomeSettings, limits: GateLimits) -> None:
    """Put into tonight's profile how the latest night that can be judged came out, of each target that has one."""
    if not are_orders_at_hand(warehouse, tonight.as_of):
        return
    tonight.values[TABLE, WHOLE_TABLE, LIMIT] = limits.calibration_warn
    for target in get_args(Target):
        days = getattr(settings.prediction, f"{target}_horizon_days")
        night = next(judged_nights(warehouse, tonight.as_of, target, days), None)
        if night is None:
            continue
        customers, parameters = judged_customers(night, tonight.as_of)
        outcome = outcome_of(warehouse.rows(f"select {outcome_columns(target)} from ({customers}) as judged", parameters)[0])
        if outcome.ratio is None or outcome.interval is None:
            continue
        figures = {
            "hindsight_days_ago": (tonight.as_of - night.as_of).days,
            "hindsight_customers_count": outcome.customers_count,
            "hindsight_ratio": outcome.ratio,
            "hindsight_ratio_low": outcome.interval[0],
            "hindsight_ratio_high": outcome.interval[1],
            MISS: outcome.miss,
            IS_BEYOND: outcome.miss > limits.calibration_warn,
        }
        for statistic, value in figures.items():
            tonight.values[TABLE, COLUMNS[target], statistic] = round(float(value), 6)


def hindsight_rules(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    """One rule a target that could be judged; none of them stops a night: the next predictions may well be right."""
    for target, column in COLUMNS.items():
        if tonight.value(TABLE, column, MISS) is not None:
            promise = f"{PROMISES[target]}; above {limits.calibration_warn} a training is due"
            yield Rule(TABLE, column, MISS, 1, BEYOND_ANY_SHOP, promise, warn_above=limits.calibration_warn)
