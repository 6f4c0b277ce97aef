"""The rebuild of a past night: what it decided, computed again from what it knew, without changing anything but files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from regulars.configurations import home_as_configured
from regulars.errors import InputError
from regulars.features import build_features, build_staging
from regulars.home import Home
from regulars.nights import PastNight, past_night
from regulars.run import Run, close_run, open_run, step
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.tables import CANONICAL_TABLES
from regulars.warehouse import Warehouse, open_warehouse


class _Undone(Exception):
    """Ends a transaction whose work nobody is to see."""


@dataclass(frozen=True)
class Rebuild:
    """A past night with its features, in a transaction that will be undone: what stages write there, later nights never see."""

    run: Run
    warehouse: Warehouse
    night: PastNight


def past_days(home: Home, first: date, last: date) -> list[date]:
    """The days from `first` to `last`, both included, whose nights can be rebuilt.

    Raises:
        InputError: there is none, or not all of them are past.
    """
    latest_sent = State(home.state).latest_sent()
    if not first <= last or latest_sent is None or last > latest_sent:
        sent = f"that of {latest_sent}" if latest_sent else "none"
        raise InputError(
            f"cannot rebuild the nights from {first} until {last}: expected past days in order; the latest night sent is {sent}"
        )
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@contextmanager
def rebuilt_night(home: Home, as_of: date) -> Iterator[Rebuild]:
    """The past night of `as_of` as it knew its shop, with its configuration; the sources are not read.

    Raises:
        InputError: no night as late as that has been sent, or the configuration of that night was not kept.
        TryAgain: another run of the home is at work.
    """
    open_run(home, "rebuild", as_of)
    with open_warehouse(home, role="rebuilder") as warehouse:
        night = past_night(warehouse, as_of, HomeSettings(home).shop.time_zone)
    home = home_as_configured(home, night.config_hash) if night.config_hash else home
    build_staging(home, as_of, "rebuild")
    build_features(home, as_of, "rebuild")
    with step(home, "rebuild lists", "rebuild", as_of) as run, open_warehouse(home, role="rebuilder") as warehouse:
        with _undone(warehouse):
            yield Rebuild(run, warehouse, night)
        if late := _histories_learned_since(warehouse, run, night.known_until):
            run.summary += f"; not quite that night: the first load of {', '.join(late)} came later, and counts as known since it happened"
    close_run(run)


@contextmanager
def _undone(warehouse: Warehouse) -> Iterator[None]:
    try:
        with warehouse.transaction():
            yield
            raise _Undone
    except _Undone:
        pass


def _histories_learned_since(warehouse: Warehouse, run: Run, known_until: datetime) -> list[str]:
    """Tables of sources that were loaded for the first time after `known_until`: when their rows were learned is only assumed."""
    with run.state.connection() as connection:
        rows = connection.execute("select run_id from runs where started_at > ?", [known_until.isoformat()]).fetchall()
    later = [row["run_id"] for row in rows]
    marks = ", ".join("?" for _ in later)
    found: list[str] = []
    for table in CANONICAL_TABLES if later else ():
        sources = warehouse.rows(
            f"select distinct source from {table.qualified_name}"
            f" where is_known_at_assumed and known_at <= ? and run_id in ({marks}) order by 1",
            [known_until, *later],
        )
        found += [f"{source}.{table.name}" for (source,) in sources]
    return found
