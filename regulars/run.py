"""A run: one night, one training or one rebuild of a past night, from its opening to its end, over all processes that work for it.

A run that died is resumed by the next command for the same as_of: it keeps its run_id and its known_at, so that what
is written again is the same. A run may only write while it is the home's active run; one that was overtaken stops.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from regulars import clock
from regulars.errors import InputError, RegularsError, TryAgain, Unforeseen
from regulars.home import Home
from regulars.process import identity, is_gone
from regulars.progress import keep_libraries_quiet, report_failure, say
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.warehouse import WarehouseRestored, open_warehouse

Kind = Literal["night", "training", "rebuild"]

OPEN_RUN = "select * from runs where kind = ? and as_of_date = ? and status in ('open', 'rewound')"
QUIET_SECONDS = 60.0
"""Between two tasks no process of a run need be alive; after so long without a step it counts as dead."""


@dataclass
class Run:
    """What a stage is told: the home, its settings, and the run's as_of, run_id and known_at.

    `summary` is what the stage did, in words and figures for the person who watches; never personal data.
    """

    home: Home
    settings: HomeSettings
    state: State
    run_id: str
    kind: Kind
    as_of: date
    known_at: datetime
    summary: str = field(default="")


def open_run(home: Home, kind: Kind, as_of: date) -> Run:
    """Make the run of (kind, as_of) the home's active one, resuming it when it is open already.

    Raises:
        TryAgain: another run of the home is at work.
        InputError: the as_of lies in the future, or is none for this kind of run: a past one for a night, one to come for a rebuild.
    """
    settings = HomeSettings(home)
    state = State(home.state)
    moment = clock.now()
    today = clock.shop_date(moment, settings.shop.time_zone)
    if as_of > today:
        raise InputError(f"as_of {as_of} lies in the future; it is {today} in {settings.shop.time_zone}, and no night can know more")
    _refuse_past_night(kind, as_of, state.latest_sent())
    with state.transaction() as connection:
        for other in connection.execute("select * from runs where status in ('open', 'rewound')").fetchall():
            is_same = other["kind"] == kind and other["as_of_date"] == as_of.isoformat()
            if other["worker"] != identity(os.getpid()) and _is_at_work(connection, other) and not (is_same and is_gone(other["worker"])):
                since = other["started_at"][:16].replace("T", " ")
                raise TryAgain(
                    f"a {other['kind']} for {other['as_of_date']} is running in {home.path} since {since} UTC "
                    f"(process {other['worker'].split('@')[0]}); wait for it to end, then try again"
                )
            if not is_same:
                connection.execute("update runs set status = 'failed' where run_id = ?", [other["run_id"]])
        row = connection.execute(OPEN_RUN, [kind, as_of.isoformat()]).fetchone()
        if row is None:
            earlier = connection.execute(
                "select count(*) from runs where kind = ? and as_of_date = ?", [kind, as_of.isoformat()]
            ).fetchone()
            run_id = f"{kind}-{as_of}-{earlier[0] + 1}"
            connection.execute(
                "insert into runs values (?, ?, ?, ?, 'open', ?, ?)",
                [run_id, kind, as_of.isoformat(), moment.isoformat(), identity(os.getpid()), time.time()],
            )
            known_at = moment
        else:
            run_id, known_at = row["run_id"], datetime.fromisoformat(row["started_at"])
            _touch(connection, run_id)
    # A damaged warehouse is restored here, where nothing is lost by it: the run is at its beginning.
    with suppress(WarehouseRestored), open_warehouse(home, role="reader", read_only=True):
        pass
    with state.transaction() as connection:
        connection.execute("update runs set status = 'open' where run_id = ? and status = 'rewound'", [run_id])
    return Run(home, settings, state, run_id, kind, as_of, known_at)


def _refuse_past_night(kind: Kind, as_of: date, latest_sent: date | None) -> None:
    if kind == "night" and latest_sent is not None and as_of < latest_sent:
        raise InputError(
            f"the night of {as_of} is past, as that of {latest_sent} has been sent; nothing of it is written or sent again. "
            f"To see its lists: `make night AS_OF={as_of}` or the DAG retention_backfill, which rebuild them"
        )
    if kind == "rebuild" and (latest_sent is None or as_of > latest_sent):
        sent = f"the latest night that was sent is that of {latest_sent}" if latest_sent else "no night has been sent yet"
        raise InputError(f"there is no past night of {as_of} to rebuild: {sent}; expected an as_of not later than that")


def is_past(home: Home, as_of: date) -> bool:
    """Whether a later night has been sent: then the night of `as_of` can be rebuilt, and not run."""
    latest_sent = State(home.state).latest_sent()
    return latest_sent is not None and as_of < latest_sent


def resume_run(home: Home, kind: Kind, as_of: date) -> Run:
    """The open run of (kind, as_of); opened first when there is none, as by a stage's command used by hand.

    Raises:
        WarehouseRestored: what the run had done is lost with a damaged warehouse.
    """
    state = State(home.state)
    with state.connection() as connection:
        row = connection.execute(OPEN_RUN, [kind, as_of.isoformat()]).fetchone()
    if row is None:
        return open_run(home, kind, as_of)
    if row["status"] == "rewound":
        raise WarehouseRestored(
            f"a damaged warehouse was restored, and what {row['run_id']} had done is lost: run it again from its beginning"
        )
    return Run(home, HomeSettings(home), state, row["run_id"], kind, as_of, datetime.fromisoformat(row["started_at"]))


def close_run(run: Run, status: Literal["done", "failed"] = "done") -> None:
    with run.state.transaction() as connection:
        connection.execute("update runs set status = ? where run_id = ?", [status, run.run_id])


def publish(home: Home, as_of: date, kind: Kind) -> None:
    """Publish the warehouse's read-only copy, of as much as the run has done."""
    with step(home, "publish", kind, as_of) as run, open_warehouse(home, role="reader") as warehouse:
        run.summary = f"for people to query: {warehouse.publish()}"


def finish_run(home: Home, as_of: date, kind: Kind) -> None:
    """Publish, and close the run."""
    publish(home, as_of, kind)
    close_run(resume_run(home, kind, as_of))


@contextmanager
def step(home: Home, name: str, kind: Kind, as_of: date) -> Iterator[Run]:
    """One step of a run: shows progress, records the outcome, and stops a run that was overtaken.

    Raises:
        TryAgain: another run of the home is at work, or has overtaken this one.
        Unforeseen: in place of any error that is not ours.
    """
    keep_libraries_quiet()
    begun = time.monotonic()
    run: Run | None = None
    try:
        run = resume_run(home, kind, as_of)
        with run.state.transaction() as connection:
            _touch(connection, run.run_id)
            connection.execute(
                "insert or replace into steps values (?, ?, 'running', null, null, null, ?)", [run.run_id, name, identity(os.getpid())]
            )
        say(f"  ▸ {name}")
        yield run
        # A run that was overtaken meanwhile must not look as if it had done its work.
        refuse_when_overtaken(run)
    except BaseException as error:
        # A message of a library may quote personal data; only our own errors are known to hold none.
        failure = error if isinstance(error, RegularsError) else Unforeseen(error)
        if run is not None:
            _record(run, name, "failed", time.monotonic() - begun, str(failure), failure.exit_code)
        say(f"  ✗ {name:<24} {failure}")
        report_failure(f"{name}: {failure}", failure.exit_code)
        if isinstance(error, Exception):
            raise failure from None
        raise
    seconds = time.monotonic() - begun
    _record(run, name, "done", seconds, run.summary, 0)
    say(f"  ✓ {name:<24} {seconds:6.1f} s  {run.summary}")


def refuse_when_overtaken(run: Run) -> None:
    """Return while the run is still the home's active one. To be asked before every write to the outside.

    Raises:
        TryAgain: another run has taken its place.
    """
    with run.state.connection() as connection:
        status = connection.execute("select status from runs where run_id = ?", [run.run_id]).fetchone()["status"]
    if status != "open":
        raise TryAgain(f"the run {run.run_id} was overtaken by another one; nothing of it counts")


def _record(run: Run, name: str, status: str, seconds: float, summary: str, exit_code: int) -> None:
    with run.state.transaction() as connection:
        values = [run.run_id, name, status, seconds, summary, exit_code, identity(os.getpid())]
        connection.execute("insert or replace into steps values (?, ?, ?, ?, ?, ?, ?)", values)
        _touch(connection, run.run_id)


def _touch(connection: sqlite3.Connection, run_id: str) -> None:
    connection.execute("update runs set worker = ?, touched_at = ? where run_id = ?", [identity(os.getpid()), time.time(), run_id])


def _is_at_work(connection: sqlite3.Connection, run: sqlite3.Row) -> bool:
    unfinished = connection.execute("select * from steps where run_id = ? and status in ('running', 'failed')", [run["run_id"]]).fetchall()
    if not is_gone(run["worker"]) or any(one["status"] == "running" and not is_gone(one["worker"]) for one in unfinished):
        return True
    return not unfinished and time.time() - run["touched_at"] < QUIET_SECONDS
