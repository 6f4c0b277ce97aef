"""Which slices of the features stand, and what a training computes: what does not stand yet, of as many customers as it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from regulars.nights import kept_nights
from regulars.run import Run
from regulars.staging import models_fingerprint
from regulars.tables import CANONICAL_TABLES, CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, FEATURE_SLICES
from regulars.warehouse import Warehouse

SAMPLE_STEPS = 16**4
"""Customers are drawn by the first four digits of the MD5 of their id: the same ones at every date and in every training."""

ROWS_OF_THE_SHOP = 10
"""For each row that trees learn from, so many are computed: the shop as a whole is measured on all of those."""

FEATURES, OUTCOMES, SLICES = (table.qualified_name for table in (CUSTOMER_FEATURES, CUSTOMER_OUTCOMES, FEATURE_SLICES))


@dataclass(frozen=True)
class AsOfRow:
    """A row of `control.as_of_dates`, but for what it is carried from."""

    as_of: date
    known_until: datetime
    purpose: str
    sampled_below: str | None = None


@dataclass(frozen=True)
class Slice:
    """A row of `control.feature_slices`."""

    known_until: datetime
    fingerprint: str
    sampled_below: str | None

    def serves(self, row: AsOfRow, fingerprint: str) -> bool:
        """Whether what was computed is what the row asks for, and of no fewer customers."""
        if (self.known_until, self.fingerprint) != (row.known_until, fingerprint):
            return False
        return self.sampled_below is None or (row.sampled_below is not None and row.sampled_below <= self.sampled_below)


def for_training(warehouse: Warehouse, run: Run, rows: Sequence[AsOfRow]) -> list[AsOfRow]:
    """The rows of a training with the customers that are drawn, and `outcomes` for those whose features stand.

    Features of a date whose night's are kept are the night's, and stay those of all customers.
    """
    drawn, fingerprint = _sampled_below(warehouse, rows, run.settings.prediction.training.max_rows), _fingerprint(run)
    standing = {
        as_of: Slice(*rest) for as_of, *rest in warehouse.rows(f"select as_of_date, known_until, fingerprint, sampled_below from {SLICES}")
    }
    kept = kept_nights(warehouse, run)
    wanted = []
    for row in rows:
        of_drawn = replace(row, sampled_below=drawn)
        if row.as_of in standing and standing[row.as_of].serves(of_drawn, fingerprint):
            wanted.append(replace(of_drawn, purpose="outcomes"))
        else:
            wanted.append(row if row.as_of in kept else of_drawn)
    return wanted


def record_slices(warehouse: Warehouse, run: Run) -> None:
    """Write down that the slices of the build that has just ended stand."""
    with warehouse.transaction():
        forget_slices_to_build(warehouse)
        warehouse.execute(
            f"""
            insert into {SLICES} (as_of_date, known_until, fingerprint, sampled_below)
            select as_of_date, known_until, cast(? as varchar), sampled_below from control.as_of_dates where purpose <> 'outcomes'
            """,
            [_fingerprint(run)],
        )


def forget_slices_to_build(warehouse: Warehouse) -> None:
    """Before a build, or what it leaves half-done would stand."""
    warehouse.execute(f"delete from {SLICES} where as_of_date in (select as_of_date from control.as_of_dates where purpose <> 'outcomes')")


def forget_slices(warehouse: Warehouse) -> None:
    """Have every slice computed again when it is asked for."""
    warehouse.execute(f"delete from {SLICES}")


def forget_slices_that_knew_less(warehouse: Warehouse) -> None:
    """Before new rows come into staging: a slice that should have known one of them is computed again when it is asked for."""
    for table in CANONICAL_TABLES:
        warehouse.execute(
            f"""
            delete from {SLICES} where known_until >= (
                select min(landed.known_at) from {table.qualified_name} as landed
                where not exists (
                    select 1 from control.staged_rows as staged_rows
                    where staged_rows.table_name = ? and staged_rows.source = landed.source and staged_rows.run_id = landed.run_id
                )
            )
            """,
            [table.name],
        )


def prune_nights(warehouse: Warehouse, run: Run) -> None:
    """Delete the features of nights that are kept no longer, or the warehouse would grow by all customers every night.

    A date that a training has learned from stays until no training does.
    """
    kept = sorted({*kept_nights(warehouse, run), run.as_of})
    learned_from = f"select as_of_date from {OUTCOMES}" if warehouse.exists(OUTCOMES) else "select cast(null as date) where false"
    for table in (FEATURES, SLICES):
        warehouse.execute(
            f"""
            delete from {table} where as_of_date in (select as_of_date from control.nights)
                and as_of_date not in ({", ".join("?" for _ in kept)}) and as_of_date not in ({learned_from})
            """,
            kept,
        )


def prune_trainings(warehouse: Warehouse, run: Run, earliest: date) -> None:
    """Delete what no training learns from any more: slices before its earliest cutoff, but for the nights that are kept."""
    kept = sorted(kept_nights(warehouse, run))
    but_kept = f"and as_of_date not in ({', '.join('?' for _ in kept)})" if kept else ""
    for table in (FEATURES, OUTCOMES, SLICES):
        if warehouse.exists(table):
            warehouse.execute(f"delete from {table} where as_of_date < ? {but_kept}", [earliest, *kept])


def _sampled_below(warehouse: Warehouse, rows: Sequence[AsOfRow], max_rows: int) -> str | None:
    """The digits below which customers are drawn; None where all of them can be taken."""
    dates = ", ".join("(cast(? as date))" for _ in rows)
    count = warehouse.rows(
        f"""
        with dates (as_of_date) as (values {dates}),
        customers as (
            select cast('1970-01-01' as date) + cast(min(ordered_day) as integer) as first_date
            from intermediate.int_orders where superseded_at is null group by customer_id
        )
        select count(*) from customers inner join dates on customers.first_date < dates.as_of_date
        """,
        [row.as_of for row in rows],
    )[0][0]
    steps = SAMPLE_STEPS * max_rows * ROWS_OF_THE_SHOP // max(count, 1)
    return f"{steps:04x}" if steps < SAMPLE_STEPS else None


def _fingerprint(run: Run) -> str:
    """SHA-256 over what features are computed with."""
    prediction = run.settings.prediction
    parameters = (models_fingerprint(run), prediction.churn_horizon_days, prediction.formula_lifespan_years)
    return hashlib.sha256(repr(parameters).encode()).hexdigest()
