"""The table `control.nights`: what each night knew, so that a past night can be computed again as it was."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa

from regulars import clock
from regulars.run import Run
from regulars.tables import NIGHTS
from regulars.warehouse import Warehouse

FILES_OF_A_RUN = timedelta(seconds=1)
"""Facts of one run are learned a microsecond apart, file after file; all of them before this has passed."""


def open_night(warehouse: Warehouse, run: Run) -> datetime:
    """The known_until of the run's night, written down at first sight.

    A night later than all before it knows what has been learned by its run. One that is earlier, and had no night of its
    own when it was due, knows only what had been learned by its as_of, so that nothing later leaks into it.
    """
    existing = known_until_of(warehouse, run.as_of)
    if existing is not None:
        return existing
    latest = warehouse.rows("select max(as_of_date) from control.nights")[0][0]
    is_latest = latest is None or run.as_of > latest
    known_until = run.known_at + FILES_OF_A_RUN if is_latest else clock.shop_midnight(run.as_of, run.settings.shop.time_zone)
    night = {
        "as_of_date": run.as_of,
        "known_until": known_until,
        "run_id": run.run_id,
        "config_hash": run.settings.config_hash(),
        "model_version": None,
        "ledger_position": None,
    }
    warehouse.append(NIGHTS, pa.Table.from_pylist([night], schema=None).cast(_schema()))
    return known_until


def known_until_of(warehouse: Warehouse, as_of: date) -> datetime | None:
    """The known_until of the night of `as_of`; None when it had no night."""
    rows = warehouse.rows("select known_until from control.nights where as_of_date = ?", [as_of])
    return rows[0][0] if rows else None


def _schema() -> pa.Schema:
    types = {"date": pa.date32(), "timestamp": pa.timestamp("us"), "text": pa.string(), "integer": pa.int64()}
    return pa.schema([(column.name, types[column.type]) for column in NIGHTS.columns])
