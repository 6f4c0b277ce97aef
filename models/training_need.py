"""Whether the next night should train first, and why."""

from __future__ import annotations

from datetime import date

from models.registry import FORMAT, promoted_for
from regulars.hindsight import COLUMNS, IS_BEYOND
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_SCORES, PROFILES
from regulars.warehouse import open_warehouse

WORDS = {"churn_probability": "customers who ordered", "expected_value": "the revenue that came in"}


def why_training_is_due(home: Home, as_of: date) -> str | None:
    """The reason in words; None when a training decided lately, for the home's present horizons and currency, and its predictions hold.

    Raises:
        ArtefactError: the list of promoted models is damaged.
    """
    settings = HomeSettings(home)
    serving = promoted_for(home, as_of)
    if serving is None:
        return f"no training was decided by {as_of}"
    if not serving.fits(settings):
        return "the horizons or the currency have changed since the last training"
    if serving.format != FORMAT and not serving.is_untrained:
        return "the last training was another version's of Regulars"
    days = (as_of - serving.trained_as_of).days
    if days >= settings.prediction.training.retrain_after_days:
        return f"the last training was {days} days ago"
    return _why_by_hindsight(home, as_of, serving.trained_as_of)


def _why_by_hindsight(home: Home, as_of: date, trained_as_of: date) -> str | None:
    """Predictions whose horizon has passed were off, and no training has learned from it since it was first seen.

    Predictions of the old model are judged for as long as its horizon after it has gone; a training answers them all.
    """
    with open_warehouse(home, role="scorer", read_only=True) as warehouse:
        rows = warehouse.rows(
            f"""
            select column_name, as_of_date, value, statistic from {PROFILES.qualified_name}
            where table_name = ? and statistic in (?, 'hindsight_ratio') and as_of_date <= ?
            order by column_name, as_of_date
            """,
            [CUSTOMER_SCORES.name, IS_BEYOND, as_of],
        )
    for column in COLUMNS.values():
        beyond = [(day, value > 0) for name, day, value, statistic in rows if (name, statistic) == (column, IS_BEYOND)]
        if not beyond or not beyond[-1][1]:
            continue
        lastly_within = max((day for day, is_beyond in beyond if not is_beyond), default=date.min)
        first_seen = min(day for day, is_beyond in beyond if is_beyond and day > lastly_within)
        if first_seen > trained_as_of:
            ratio = next(value for name, day, value, statistic in reversed(rows) if (name, statistic) == (column, "hindsight_ratio"))
            return f"{WORDS[column]}: {ratio:.2f} of what had been said, as the night of {beyond[-1][0]} found; no training has seen it yet"
    return None
