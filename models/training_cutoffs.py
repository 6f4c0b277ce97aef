"""Which past dates a training learns from, and what of the horizon after each of them is known."""

from __future__ import annotations

from datetime import date, timedelta

from regulars import clock
from regulars.home import Home
from regulars.settings import HomeSettings, PredictionSettings
from regulars.tables import ORDER_LINES, ORDERS
from regulars.warehouse import Warehouse, open_warehouse

SHORTEST_WINDOW_DAYS = 56
"""A cutoff so close to as_of still shows something of a longer horizon."""


def training_cutoffs(prediction: PredictionSettings, as_of: date, first_event_date: date | None) -> list[date]:
    """Past as_of dates to learn from, ascending.

    A cutoff need not have its whole horizon behind it: what buy-till-you-die models expect of any horizon makes windows of
    different lengths comparable, so that the latest months are learned from too. The latest cutoff lies
    `SHORTEST_WINDOW_DAYS` before `as_of`, or a whole horizon where that is shorter; the others step back from it, as long as
    at least `training.min_history_days` of history lie before them and up to `training.cutoffs_count` in all. Empty when
    no cutoff fits, or when there was no event yet (`first_event_date` None).
    """
    if first_event_date is None:
        return []
    training = prediction.training
    latest = as_of - timedelta(days=_shortest(min(prediction.churn_horizon_days, prediction.value_horizon_days)))
    cutoffs = [latest - timedelta(days=training.cutoff_step_days * step) for step in range(training.cutoffs_count)]
    earliest = first_event_date + timedelta(days=training.min_history_days)
    return sorted(cutoff for cutoff in cutoffs if cutoff >= earliest)


def window_days(cutoff: date, as_of: date, horizon_days: int) -> int | None:
    """The longest part of the horizon after the cutoff that lies before `as_of`; None where it is too short to tell anything."""
    days = min(horizon_days, (as_of - cutoff).days)
    return days if days >= _shortest(horizon_days) else None


def _shortest(horizon_days: int) -> int:
    return min(horizon_days, SHORTEST_WINDOW_DAYS)


def cutoffs_of_home(home: Home, as_of: date) -> list[date]:
    """The training cutoffs of a home, by its configuration and its first landed order."""
    settings = HomeSettings(home)
    with open_warehouse(home, role="scorer", read_only=True) as warehouse:
        return training_cutoffs(settings.prediction, as_of, first_event_date(warehouse, settings.shop.time_zone))


def first_event_date(warehouse: Warehouse, time_zone: str) -> date | None:
    """The shop's first day with an order, by its orders or, for a source without them, its order lines; None without any."""
    landed = [table for table in (ORDERS, ORDER_LINES) if warehouse.exists(table)]
    moments = [warehouse.rows(f"select min(event_at) from {table.qualified_name}")[0][0] for table in landed]
    moments = [moment for moment in moments if moment is not None]
    return clock.shop_date(min(moments), time_zone) if moments else None
