"""What dbt is to build for a run: which as_of dates, and what each of them knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from regulars.carried_night import forget_night, forget_night_that_knew_less, night_before, record_night
from regulars.dbt import build, set_as_of_dates
from regulars.feature_slices import (
    SAMPLE_STEPS,
    AsOfRow,
    for_training,
    forget_slices,
    forget_slices_that_knew_less,
    forget_slices_to_build,
    prune_nights,
    prune_trainings,
    record_slices,
)
from regulars.home import Home
from regulars.nights import open_night, past_night
from regulars.run import Kind, Run, step
from regulars.staging import forget_staging, next_build, record_build
from regulars.warehouse import Warehouse, open_warehouse


def build_staging(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Build the tables of staging and intermediate: of what rows new in raw have changed, where the rest stands.

    Raises:
        GateFailed: a data test failed.
    """
    with step(home, "build staging", kind, as_of) as run:
        with open_warehouse(home, role="builder") as warehouse:
            set_as_of_dates(warehouse, run, [_as_of_row(warehouse, run, as_of)])
            wanted = next_build(warehouse, run)
            if not wanted.is_needed:
                run.summary = "no new rows since it was built"
                return
            if wanted.is_whole:
                forget_staging(warehouse)
                forget_slices(warehouse)
            forget_night_that_knew_less(warehouse, run)
            forget_slices_that_knew_less(warehouse)
        build(run, "staging", whole=wanted.is_whole)
        with open_warehouse(home, role="builder") as warehouse:
            record_build(warehouse, run, wanted)
        scope = "everything" if wanted.is_whole else f"what {wanted.new_rows_count:,} new rows change"
        run.summary = f"{scope}, {run.summary}"


def build_features(home: Home, as_of: date, kind: Kind = "night", cutoffs: Sequence[date] = ()) -> None:
    """Build the features of the as_of of a run and, for a training, features and outcomes of its past `cutoffs`.

    Raises:
        GateFailed: a data test failed.
    """
    with step(home, "build features", kind, as_of) as run:
        with open_warehouse(home, role="builder") as warehouse:
            rows = [_as_of_row(warehouse, run, day) for day in sorted({*cutoffs, as_of})]
            carried = night_before(warehouse, run, rows[-1].known_until) if kind == "night" else None
            rows = for_training(warehouse, run, rows) if kind == "training" else rows
            forget_night(warehouse)
            set_as_of_dates(warehouse, run, rows, carried)
            forget_slices_to_build(warehouse)
        build(run, "features", whole=carried is None)
        with open_warehouse(home, role="builder") as warehouse:
            record_slices(warehouse, run)
            if kind == "night":
                record_night(warehouse, run)
                prune_nights(warehouse, run)
            if kind == "training":
                prune_trainings(warehouse, run, rows[0].as_of)
        scope = f"{_in_words(rows)}, " if cutoffs else f"who moved since {carried.as_of}, " if carried else ""
        run.summary = f"{scope}{run.summary}"


def _in_words(rows: Sequence[AsOfRow]) -> str:
    """What of the dates of a training was computed."""
    standing = sum(row.purpose == "outcomes" for row in rows)
    drawn = {row.sampled_below for row in rows if row.sampled_below is not None}
    share = "".join(f" of {int(below, 16) / SAMPLE_STEPS:.2%} of the customers" for below in drawn)
    return f"{len(rows) - 1} past cutoffs{share}" + (f" ({standing} of {len(rows)} dates stood)" if standing else "")


def _as_of_row(warehouse: Warehouse, run: Run, day: date) -> AsOfRow:
    """An as_of without a night of its own knows what was learned by its start."""
    if run.kind == "night":
        return AsOfRow(day, open_night(warehouse, run), "night")
    return AsOfRow(day, past_night(warehouse, day, run.settings.shop.time_zone).known_until, run.kind)
