"""The table `control.nights`: what each night knew, so that a past night can be computed again as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from regulars import clock
from regulars.configurations import keep_configuration
from regulars.run import Run
from regulars.tables import CANONICAL_TABLES, NIGHTS
from regulars.warehouse import Warehouse

FILES_OF_A_RUN = timedelta(seconds=1)
"""Facts of one run are learned a microsecond apart, file after file; all of them before this has passed."""


@dataclass(frozen=True)
class PastNight:
    """What a past night knew. One that never was knows what had been learned by its start, and has no configuration of its own."""

    as_of: date
    known_until: datetime
    contacts_known_until: datetime
    run_id: str | None
    config_hash: str | None
    model_version: str | None


def open_night(warehouse: Warehouse, run: Run) -> datetime:
    """The known_until of the run's night: it knows what has been learned by its run.

    A night that is run again, before a later one was sent, knows what its latest run has learned: so a repaired file counts.
    Where nothing has been learned since, it is the same night to the byte.
    """
    known_until = run.known_at + FILES_OF_A_RUN
    config_hash = keep_configuration(run.home)
    before = known_until_of(warehouse, run.as_of)
    if before is not None:
        known_until = known_until if _has_learned(warehouse, before, known_until) else before
        warehouse.execute(
            f"update {NIGHTS.qualified_name} set known_until = ?, run_id = ?, config_hash = ? where as_of_date = ?",
            [known_until, run.run_id, config_hash, run.as_of],
        )
        return known_until
    night = {
        "as_of_date": run.as_of,
        "known_until": known_until,
        "run_id": run.run_id,
        "config_hash": config_hash,
        "model_version": None,
        "scored_because": None,
        "ledger_position": None,
        "contacts_known_until": None,
    }
    warehouse.append(NIGHTS, pa.Table.from_pylist([night], schema=None).cast(_schema()))
    return known_until


def kept_nights(warehouse: Warehouse, run: Run) -> set[date]:
    """The latest nights, which keep what could be computed again."""
    rows = warehouse.rows(
        f"select as_of_date from {NIGHTS.qualified_name} order by as_of_date desc limit ?", [run.settings.prediction.keep_feature_nights]
    )
    return {as_of for (as_of,) in rows}


def _has_learned(warehouse: Warehouse, after: datetime, until: datetime) -> bool:
    """Whether any row of raw became known in between."""
    learned = " union all ".join(
        f"(select 1 from {table.qualified_name} where known_at > ? and known_at <= ? limit 1)" for table in CANONICAL_TABLES
    )
    return bool(warehouse.rows(learned, [moment for _ in CANONICAL_TABLES for moment in (after, until)]))


def note_configuration(warehouse: Warehouse, run: Run) -> None:
    """Keep the configuration with which the night's lists are made; it may have been mended since the night was opened."""
    warehouse.execute(f"update {NIGHTS.qualified_name} set config_hash = ? where as_of_date = ?", [keep_configuration(run.home), run.as_of])


def known_until_of(warehouse: Warehouse, as_of: date) -> datetime | None:
    """The known_until of the night of `as_of`; None when it had no night."""
    rows = warehouse.rows(f"select known_until from {NIGHTS.qualified_name} where as_of_date = ?", [as_of])
    return rows[0][0] if rows else None


def past_night(warehouse: Warehouse, as_of: date, time_zone: str) -> PastNight:
    """The night of `as_of` as it stands in the table, or, of a day without one, as it would have been at its start."""
    rows = warehouse.rows(
        f"select known_until, contacts_known_until, run_id, config_hash, model_version from {NIGHTS.qualified_name} where as_of_date = ?",
        [as_of],
    )
    if not rows:
        midnight = clock.shop_midnight(as_of, time_zone)
        return PastNight(as_of, midnight, midnight, None, None, None)
    known_until, contacts_known_until, *of_night = rows[0]
    return PastNight(as_of, known_until, contacts_known_until or known_until, *of_night)


def _schema() -> pa.Schema:
    types = {"date": pa.date32(), "timestamp": pa.timestamp("us"), "text": pa.string(), "integer": pa.int64()}
    return pa.schema([(column.name, types[column.type]) for column in NIGHTS.columns])
