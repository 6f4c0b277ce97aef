"""Which past dates a training learns from, and over which horizon it learns the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from regulars import clock
from regulars.home import Home
from regulars.settings import HomeSettings, PredictionSettings
from regulars.tables import ORDER_LINES, ORDERS
from regulars.warehouse import Warehouse, open_warehouse


def training_cutoffs(prediction: PredictionSettings, as_of: date, first_event_date: date | None) -> list[date]:
    """Past as_of dates to learn from, ascending: rolling origins whose churn horizon ends by `as_of`.

    The latest lies one churn horizon before `as_of`; the others step back from it, as long as at least
    `training.min_history_days` of history lie before them and up to `training.cutoffs_count` in all. Empty when no
    cutoff fits, or when there was no event yet (`first_event_date` None).
    """
    if first_event_date is None:
        return []
    training = prediction.training
    latest = as_of - timedelta(days=prediction.churn_horizon_days)
    cutoffs = [latest - timedelta(days=training.cutoff_step_days * step) for step in range(training.cutoffs_count)]
    earliest = first_event_date + timedelta(days=training.min_history_days)
    return sorted(cutoff for cutoff in cutoffs if cutoff >= earliest)


def cutoffs_of_home(home: Home, as_of: date) -> list[date]:
    """The training cutoffs of a home, by its configuration and its first landed order."""
    settings = HomeSettings(home)
    with open_warehouse(home, role="scorer", read_only=True) as warehouse:
        return training_cutoffs(settings.prediction, as_of, first_event_date(warehouse, settings.shop.time_zone))


@dataclass(frozen=True)
class ValueHorizon:
    """What the value is learned from: the horizon in days whose revenue is the label, and the cutoffs that have it."""

    days: int
    cutoffs: tuple[date, ...]


def value_horizon(prediction: PredictionSettings, as_of: date, cutoffs: Sequence[date]) -> ValueHorizon:
    """The configured value horizon where it has passed for at least one cutoff, else the churn horizon, which is shorter.

    A value learned over the shorter one is extended: see `models.lifetime_value.horizon_extension`.
    """
    for days in (prediction.value_horizon_days, prediction.churn_horizon_days):
        passed = tuple(cutoff for cutoff in cutoffs if cutoff + timedelta(days=days) <= as_of)
        if passed:
            return ValueHorizon(days, passed)
    return ValueHorizon(prediction.value_horizon_days, ())


def first_event_date(warehouse: Warehouse, time_zone: str) -> date | None:
    """The shop's first day with an order, by its orders or, for a source without them, its order lines; None without any."""
    landed = [table for table in (ORDERS, ORDER_LINES) if warehouse.exists(table)]
    moments = [warehouse.rows(f"select min(event_at) from {table.qualified_name}")[0][0] for table in landed]
    moments = [moment for moment in moments if moment is not None]
    return clock.shop_date(min(moments), time_zone) if moments else None
