"""The shop's own clock: busy hours are long, quiet ones short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from regulars.errors import ConfigurationError
from regulars.sample_shop.parameters import ShopParameters

_HOUR = 3600


@dataclass(frozen=True)
class ShopClock:
    """Two times side by side: calendar seconds since the opening, and activity.

    Activity is the integral of the shop's intensity m(t) = month × weekday × hour of the day over calendar time, in
    days; m is 1 on average, so a year has about 365 days of it. Whatever is a homogeneous Poisson process or an
    exponential lifetime in activity becomes, carried back to the calendar through the inverse of that integral, an
    inhomogeneous one with intensity rate × m(t): season, weekday and hour come in by warping time, and every formula of
    Pareto/NBD stays exact with differences of activity in place of differences of days.
    """

    zone: ZoneInfo
    opened_at: datetime
    """Local midnight of the first day, in UTC without zone."""
    edges: NDArray[np.float64]
    """Full hours since the opening, in seconds; shape (hours + 1,)."""
    activity: NDArray[np.float64]
    """Activity until each edge, in days; increasing, shape (hours + 1,)."""

    @classmethod
    def of(cls, parameters: ShopParameters) -> ShopClock:
        """The clock of the shop with these parameters, from the opening to the end of the simulated future."""
        zone = ZoneInfo(parameters.time_zone)
        opened_at = _midnight(parameters.start, zone)
        closes_at = _midnight(parameters.start + timedelta(days=parameters.days + parameters.future_days), zone)
        seconds = int((closes_at - opened_at).total_seconds())
        edges = np.append(np.arange(0, seconds, _HOUR, dtype=np.float64), float(seconds))
        intensity = _intensity(edges[:-1], opened_at, zone, parameters)
        activity = np.concatenate(([0.0], np.cumsum(intensity * np.diff(edges) / 86_400)))
        return cls(zone, opened_at, edges, activity)

    def seconds_at(self, day: date) -> int:
        """Local midnight of that day, in seconds since the opening.

        Raises ConfigurationError for a day after the last one that was simulated.
        """
        seconds = int((_midnight(day, self.zone) - self.opened_at).total_seconds())
        if seconds > self.edges[-1]:
            last = (self.opened_at + timedelta(seconds=self.edges[-1])).replace(tzinfo=UTC).astimezone(self.zone).date()
            raise ConfigurationError(f"The sample shop is simulated until {last}, not until {day}: give it more future_days.")
        return seconds

    def activity_at(self, seconds: NDArray[np.floating]) -> NDArray[np.float64]:
        """Days of activity from the opening to each of these times; times outside the simulation count as its ends."""
        return np.asarray(np.interp(seconds, self.edges, self.activity))

    def seconds_of(self, activity: NDArray[np.floating]) -> NDArray[np.float64]:
        """Inverse of `activity_at`."""
        return np.asarray(np.interp(activity, self.activity, self.edges))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def _intensity(starts: NDArray[np.float64], opened_at: datetime, zone: ZoneInfo, parameters: ShopParameters) -> NDArray[np.float64]:
    """m(t) for the hours that start so many seconds after the opening; shape (hours,)."""
    opened = opened_at.replace(tzinfo=UTC)
    # One step an hour, not a row: some thirty thousand whatever the size of the shop.
    offsets = [(opened + timedelta(seconds=start)).astimezone(zone).utcoffset() for start in starts.tolist()]
    local = np.datetime64(opened_at, "s") + starts.astype("timedelta64[s]") + np.array(offsets, dtype="timedelta64[s]")
    hours = (local - local.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.int64)
    weekdays = (local.astype("datetime64[D]").astype(np.int64) + 3) % 7
    hour_weights, weekday_weights = np.array(parameters.hour_weights), np.array(parameters.weekday_weights)
    year = _season(np.arange("2023-01-01", "2024-01-01", dtype="datetime64[D]"), parameters)
    season = _season(local.astype("datetime64[D]"), parameters) / year.mean()
    return np.asarray(season * (weekday_weights / weekday_weights.mean())[weekdays] * (hour_weights / hour_weights.mean())[hours])


def _season(days: NDArray[np.datetime64], parameters: ShopParameters) -> NDArray[np.float64]:
    months = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    monthdays = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    is_advent = ((months == 11) & (monthdays >= 20)) | ((months == 12) & (monthdays <= 20))
    return np.asarray(np.array(parameters.month_weights)[months - 1] * np.where(is_advent, parameters.advent_weight, 1.0))
