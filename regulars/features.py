"""What dbt is to build for a run: which as_of dates, and what each of them knows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime

import pyarrow as pa

from regulars import clock
from regulars.dbt import build, project_hash, set_as_of_dates
from regulars.home import Home
from regulars.nights import known_until_of, open_night
from regulars.run import Kind, Run, step
from regulars.tables import BUILDS, CANONICAL_TABLES
from regulars.warehouse import Warehouse, open_warehouse


def build_staging(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Build the tables of staging and intermediate from raw, unless they stand as they would be built.

    Raises:
        GateFailed: a data test failed.
    """
    with step(home, "build staging", kind, as_of) as run:
        with open_warehouse(home) as warehouse:
            set_as_of_dates(warehouse, run, [_as_of_row(warehouse, run, as_of)])
            fingerprint = _staging_fingerprint(warehouse, run)
            if warehouse.rows("select 1 from control.builds where layer = 'staging' and fingerprint = ?", [fingerprint]):
                run.summary = "no new rows since it was built"
                return
            warehouse.execute("delete from control.builds where layer = 'staging'")
        build(run, "staging")
        with open_warehouse(home) as warehouse:
            warehouse.append(BUILDS, pa.table({"layer": ["staging"], "fingerprint": [fingerprint], "run_id": [run.run_id]}))


def build_features(home: Home, as_of: date, kind: Kind = "night", cutoffs: Sequence[date] = ()) -> None:
    """Build the features of as_of and, for a training, features and outcomes of its past `cutoffs`.

    Raises:
        GateFailed: a data test failed.
    """
    with step(home, "build features", kind, as_of) as run:
        with open_warehouse(home) as warehouse:
            set_as_of_dates(warehouse, run, [_as_of_row(warehouse, run, day) for day in [*cutoffs, as_of]])
        build(run, "features")
        run.summary = f"{len(cutoffs)} past cutoffs, {run.summary}" if cutoffs else run.summary


def _as_of_row(warehouse: Warehouse, run: Run, day: date) -> tuple[date, datetime, str]:
    """An as_of without a night of its own knows what was learned by its start."""
    if run.kind == "night":
        return day, open_night(warehouse, run), "night"
    known_until = known_until_of(warehouse, day) or clock.shop_midnight(day, run.settings.shop.time_zone)
    return day, known_until, "training"


def _staging_fingerprint(warehouse: Warehouse, run: Run) -> str:
    """Raw tables only grow, so their counts tell whether they have."""
    counts = [(table.name, warehouse.rows(f"select count(*) from {table.qualified_name}")[0][0]) for table in CANONICAL_TABLES]
    shop = run.settings.shop
    return hashlib.sha256(repr((counts, shop.time_zone, shop.currency, project_hash())).encode()).hexdigest()
