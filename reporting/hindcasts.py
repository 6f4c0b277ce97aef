"""What the model would have said at past dates of customers whom it had not seen, and what came of it, beside simpler rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from regulars.tables import HINDCASTS
from regulars.warehouse import Warehouse
from reporting.night import Night

PREDICTORS = {
    "blend": "Our model",
    "our_model": "Our model",
    "buy_till_you_die": "Buy-till-you-die",
    "formula": "Classical formula",
    "rules": "Simple rules",
    "rfm_cells": "RFM groups",
    "serving": "The model before",
}
LIFE_STAGES = {"new": "New within 90 days", "once": "One order, longer ago", "repeat": "2 to 4 orders", "loyal": "5 orders or more"}
THIRDS = {"lowest": "Lowest-value third", "middle": "Middle third", "highest": "Highest-value third"}
SHARES = (("above_q50_share", 0.5), ("above_q80_share", 0.2), ("above_q90_share", 0.1))
"""Columns of the shares above each stated quantile, and the share that it promises."""


@dataclass(frozen=True)
class Part:
    """A part of the customers at one cutoff, or pooled over cutoffs; figures of value None where no value is known."""

    cutoff: date
    name: str
    number: int
    customers_count: int
    churn_predicted: float
    churned_share: float
    churn_log_loss: float
    value_predicted: float | None
    value_actual: float | None
    above: tuple[float | None, ...]


@dataclass(frozen=True)
class Hindcasts:
    """All hindcasts of the model that scored the night."""

    model: str
    churn_days: int
    value_days: int
    foretold: frozenset[date]
    parts: dict[tuple[str, str], list[Part]]

    @property
    def cutoffs(self) -> list[date]:
        return sorted({part.cutoff for part in self.parts[self.model, "all"]})

    def predictors(self) -> list[str]:
        """The model first."""
        return sorted({name for name, _ in self.parts}, key=lambda name: (name != self.model, name))

    def pooled(self, predictor: str, grouping: str, *, with_value: bool = False) -> list[Part]:
        """The parts over all cutoffs, or those whose value is known, each customer weighing the same."""
        by_number: dict[int, list[Part]] = {}
        for part in self.parts.get((predictor, grouping), []):
            if not with_value or part.value_actual is not None:
                by_number.setdefault(part.number, []).append(part)
        return [_pooled(parts) for _, parts in sorted(by_number.items())]


def load_hindcasts(warehouse: Warehouse, night: Night) -> Hindcasts | None:
    """None where the model that scored has none, as where a formula scored."""
    if not night.is_scored or night.scored_by is None:
        return None
    rows = warehouse.rows(
        f"""
        select predictor, grouping, as_of_date, part, part_number, customers_count, churn_predicted, churned_share, churn_log_loss,
            value_predicted, value_actual, {", ".join(column for column, _ in SHARES)}, churn_days, value_days, is_churn_level_foretold
        from {HINDCASTS.qualified_name} where model_version = ? order by predictor, grouping, as_of_date, part_number
        """,
        [night.model_version],
    )
    parts: dict[tuple[str, str], list[Part]] = {}
    for row in rows:
        parts.setdefault((row[0], row[1]), []).append(Part(*[*row[2:11], tuple(row[11:14])]))
    if (night.scored_by, "all") not in parts:
        return None
    value_days = max((row[-2] for row in rows if row[-2] is not None), default=night.value_horizon_days)
    return Hindcasts(night.scored_by, rows[0][-3], value_days, frozenset(row[2] for row in rows if row[-1]), parts)


def predictor_title(name: str) -> str:
    """A predictor's name for people."""
    return PREDICTORS.get(name, name.replace("_", " ").capitalize())


def part_title(part: Part) -> str:
    """A part's name for people."""
    return {**LIFE_STAGES, **THIRDS, "all": "All"}.get(part.name, part.name)


def _pooled(parts: Sequence[Part]) -> Part:
    customers = sum(part.customers_count for part in parts)

    def mean(figures: Iterable[float | None]) -> float | None:
        total = 0.0
        for part, value in zip(parts, figures, strict=True):
            if value is None:
                return None
            total += value * part.customers_count
        return total / customers

    return Part(
        parts[-1].cutoff,
        parts[0].name,
        parts[0].number,
        customers,
        mean(part.churn_predicted for part in parts) or 0.0,
        mean(part.churned_share for part in parts) or 0.0,
        mean(part.churn_log_loss for part in parts) or 0.0,
        mean(part.value_predicted for part in parts),
        mean(part.value_actual for part in parts),
        tuple(mean(part.above[place] for part in parts) for place in range(len(SHARES))),
    )
