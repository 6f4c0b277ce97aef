"""The one place that asks the clock. Everything else is told its as_of and its known_at by the run."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from regulars.errors import ConfigurationError


def now() -> datetime:
    """The present as a naive UTC timestamp; REGULARS_CLOCK (ISO 8601) replaces it in replays and tests."""
    replayed = os.environ.get("REGULARS_CLOCK")
    if replayed:
        try:
            moment = datetime.fromisoformat(replayed)
        except ValueError:
            raise ConfigurationError(f"REGULARS_CLOCK is {replayed!r}; expected a timestamp such as 2026-03-01T03:00:00") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
    return datetime.now(UTC).replace(tzinfo=None)


def shop_date(moment: datetime, time_zone: str) -> date:
    """The shop's calendar date at a naive UTC timestamp."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone)).date()


def shop_midnight(day: date, time_zone: str) -> datetime:
    """The start of a shop day as a naive UTC timestamp."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC).replace(tzinfo=None)


def utc_hour(hour: int, time_zone: str) -> int:
    """The hour in UTC at which it is `hour` in the zone's standard time; where clocks change it is an hour later in summer."""
    zone = ZoneInfo(time_zone)
    offsets = [datetime(2026, month, 1, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7)]
    return ceil(hour - min(offsets) / timedelta(hours=1)) % 24
