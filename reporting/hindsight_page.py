"""The page of hindsight: what was said, what happened, what has moved since; and for a young home, when it can first be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from regulars.hindsight import Target, are_orders_at_hand, first_scored_night, judged_nights
from regulars.segment import Segment
from regulars.state import State
from regulars.warehouse import Warehouse
from reporting.drift import drift_figures
from reporting.figure import Absent, Figure
from reporting.hindcast_charts import calibration_of, hindcast_figures
from reporting.hindcasts import load_hindcasts
from reporting.hindsight import Hindsight, load_hindsight
from reporting.hindsight_charts import order_figures, orders_in_words, value_figures, value_in_words
from reporting.night import Night
from reporting.numbers import long_date
from reporting.orders import NO_ORDERS


@dataclass(frozen=True)
class Section:
    """One target: what happened in a sentence, or why that cannot be told, and the charts."""

    title: str
    words: str
    charts: Sequence[Figure | Absent]

    @property
    def is_told(self) -> bool:
        return bool(self.charts)


@dataclass(frozen=True)
class HindsightPage:
    """`past_dates` are the hindcasts of the training, in place of nights that cannot be judged yet."""

    night: Night
    sections: Sequence[Section]
    past_dates: Sequence[Figure | Absent]
    drift: Sequence[Figure | Absent]

    @property
    def words(self) -> str:
        """The orders in one sentence, for the report."""
        return self.sections[0].words


def load_hindsight_page(warehouse: Warehouse, state: State, catalogue: Sequence[Segment], night: Night) -> HindsightPage:
    titles = {segment.name: segment.title for segment in catalogue}
    orders, value = _judged(warehouse, state, night, "churn"), _judged(warehouse, state, night, "value")
    sections = [
        Section("Who ordered again", orders, [])
        if isinstance(orders, str)
        else Section("Who ordered again", orders_in_words(orders), order_figures(orders, titles)),
        Section("What they brought", value, [])
        if isinstance(value, str)
        else Section("What they brought", value_in_words(value, night.money), value_figures(value, night.money)),
    ]
    hindcasts = None if all(section.is_told for section in sections) else load_hindcasts(warehouse, night)
    past_dates = [calibration_of(hindcasts), *hindcast_figures(hindcasts, night)] if hindcasts else []
    return HindsightPage(night, sections, past_dates, drift_figures(warehouse, night.as_of))


def _judged(warehouse: Warehouse, state: State, night: Night, target: Target) -> Hindsight | str:
    """The latest night whose horizon has passed; else why there is none, in words."""
    days = night.churn_horizon_days if target == "churn" else night.value_horizon_days
    if not are_orders_at_hand(warehouse, night.as_of):
        return NO_ORDERS
    judged = next(judged_nights(warehouse, night.as_of, target, days), None)
    if judged is not None:
        return load_hindsight(warehouse, state, judged, night.as_of)
    first = first_scored_night(warehouse)
    if first is None or first >= night.as_of:
        first = night.as_of
    horizon = "orders" if target == "churn" else "revenue"
    return (
        f"The first predictions of this home were made on {long_date(first)}, for {horizon} within {days} days. "
        f"What became of them can first be told on {long_date(first + timedelta(days=days))}."
    )
