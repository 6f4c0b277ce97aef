"""The night whose orders, baskets and summaries stand in the tables of the features, so that the next one computes only who has moved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from regulars.run import Run
from regulars.staging import models_fingerprint
from regulars.tables import BUILDS, CANONICAL_TABLES
from regulars.warehouse import Warehouse


@dataclass(frozen=True)
class CarriedNight:
    as_of: date
    known_until: datetime


def standing_night(warehouse: Warehouse, run: Run) -> CarriedNight | None:
    """The night whose tables stand, built with the present parameters and models; None when there is none.

    A night that another run has opened since knows more than its tables hold.
    """
    rows = warehouse.rows(
        """
        select builds.as_of_date, nights.known_until
        from control.builds as builds
        inner join control.nights as nights on builds.as_of_date = nights.as_of_date and builds.run_id = nights.run_id
        where builds.layer = 'features' and builds.fingerprint = ?
        """,
        [_fingerprint(run)],
    )
    return CarriedNight(*rows[0]) if rows else None


def night_before(warehouse: Warehouse, run: Run, known_until: datetime) -> CarriedNight | None:
    """What a night that knows until `known_until` can be carried from: an earlier one that knew no more."""
    standing = standing_night(warehouse, run)
    return standing if standing is not None and standing.as_of < run.as_of and standing.known_until <= known_until else None


def forget_night(warehouse: Warehouse) -> None:
    """Have the next night computed from everything."""
    warehouse.execute("delete from control.builds where layer = 'features'")


def record_night(warehouse: Warehouse, run: Run) -> None:
    """Write down that the tables hold the run's night."""
    with warehouse.transaction():
        forget_night(warehouse)
        row = {"layer": ["features"], "fingerprint": [_fingerprint(run)], "run_id": [run.run_id], "as_of_date": [run.as_of]}
        warehouse.append(BUILDS, pa.table(row))


def forget_night_that_knew_less(warehouse: Warehouse, run: Run) -> None:
    """Before new rows come into staging: a row that the standing night should have known, and did not, cannot be told from one that it did.

    Such a row comes from a requeue within a run that has begun before.
    """
    standing = standing_night(warehouse, run)
    if standing is None:
        return
    for table in CANONICAL_TABLES:
        late = f"""
            select 1 from {table.qualified_name} as landed
            where known_at <= ? and not exists (
                select 1 from control.staged_rows as staged_rows
                where staged_rows.table_name = ? and staged_rows.source = landed.source and staged_rows.run_id = landed.run_id
            )
            limit 1
        """
        if warehouse.rows(late, [standing.known_until, table.name]):
            forget_night(warehouse)
            return


def _fingerprint(run: Run) -> str:
    """SHA-256 over what the tables are built with: the orders of a season end with the churn horizon."""
    return hashlib.sha256(f"{models_fingerprint(run)} {run.settings.prediction.churn_horizon_days}".encode()).hexdigest()
