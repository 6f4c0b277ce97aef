"""The tasks that the DAGs share: each calls one function of one stage, imported inside so that parsing is quick."""

from __future__ import annotations

import os
from datetime import UTC, date, timedelta
from typing import Any

from airflow.sdk import Param, task, task_group
from airflow.sdk.exceptions import AirflowFailException

from stage_assets import FEATURES, PUBLISHED, RAW, SCORES, SEGMENTS, STAGING
from task_frame import RETRY, WRITER_POOL, secrets_from, the_home, worth_retrying_or_final

LATE_TRAINING: dict[str, Any] = {"retries": 12, "retry_delay": timedelta(minutes=10)}
"""A night waits two hours for a training, or a night, that is still at work."""

STAGED = ("intermediate.int_orders", "intermediate.int_refund_allocations")
FEATURED = ("features.customer_features",)
SCORED = ("scores.customer_scores",)
MATCHED = ("segments.segment_matches", "segments.segment_memberships", "segments.plays", "scores.customer_reasons")
"""Tables whose rows an asset's event counts."""

AS_OF = Param(
    None,
    type=["null", "string"],
    format="date",
    title="as_of",
    description="Only events before the start of this day in shop time count. Empty: the shop's date when the run starts.",
)


def night_hour() -> int:
    """Hour in UTC at which the nights of the home begin: at night_hour of config/shop.yml, in the shop's standard time."""
    from regulars.clock import utc_hour
    from regulars.errors import RegularsError
    from regulars.home import Home
    from regulars.settings import HomeSettings

    try:
        shop = HomeSettings(Home.from_environment()).shop
    except RegularsError:
        return 3  # the schedule must not vanish with a typing error: `open` names it
    return utc_hour(shop.night_hour, shop.time_zone)


@task(task_id="open", **LATE_TRAINING)
@worth_retrying_or_final
def open_(kind: str, params: dict[str, Any] | None = None, dag_run: Any = None) -> str:
    """Make this the home's active run; gives the as_of to all other tasks."""
    from activation.destination import destination_names, load_destination
    from ingestion.source import load_sources
    from regulars.clock import shop_date
    from regulars.errors import TryAgain
    from regulars.progress import report_failure
    from regulars.run import open_run
    from regulars.segment import load_segments
    from regulars.settings import HomeSettings

    home = the_home()
    shop = HomeSettings(home).shop
    given = (params or {}).get("as_of")
    started_at = dag_run.run_after.astimezone(UTC).replace(tzinfo=None)
    as_of = date.fromisoformat(given) if given else shop.today or shop_date(started_at, shop.time_zone)
    # A typing error in any file of the configuration ends the run here, before the long work.
    load_segments(home)
    load_sources(home, shop)
    for name in destination_names(home):
        load_destination(home, name)
    try:
        open_run(home, kind, as_of)
    except TryAgain as error:
        if "REGULARS_PROGRESS" not in os.environ:
            raise
        # A person who waits at the terminal is told at once.
        report_failure(str(error), error.exit_code)
        raise AirflowFailException(str(error)) from None
    return as_of.isoformat()


@task
@worth_retrying_or_final
def sources() -> list[str]:
    """Names of the sources in config/sources.yml."""
    from ingestion.source import source_names

    return source_names(the_home())


@task(map_index_template="{{ source }}", pool="sources", **RETRY)
@worth_retrying_or_final
def extract(source: str, as_of: str, kind: str) -> str:
    """Read what is new at one source into Parquet; the warehouse is not touched."""
    from airflow.sdk import get_current_context

    from ingestion.extraction import extract_source
    from ingestion.source import source_settings

    get_current_context()["source"] = source
    settings = source_settings(the_home(), source)
    extract_source(the_home(), source, date.fromisoformat(as_of), kind, secrets_from(settings.connection, settings.secrets_of))
    return source


@task(map_index_template="{{ source }}", pool=WRITER_POOL, outlets=[RAW])
@worth_retrying_or_final
def land(source: str, as_of: str, kind: str, outlet_events: Any = None) -> None:
    """Write one source's extract to raw: whole, once, and with its account."""
    from airflow.sdk import get_current_context

    from ingestion.landing import land_source
    from regulars.row_counts import landed_rows

    get_current_context()["source"] = source
    land_source(the_home(), source, date.fromisoformat(as_of), kind)
    outlet_events[RAW].extra = {"as_of": as_of, "source": source, **landed_rows(the_home(), source, date.fromisoformat(as_of), kind)}


@task_group
def ingest(as_of: str, kind: str) -> None:
    land.partial(as_of=as_of, kind=kind).expand(source=extract.partial(as_of=as_of, kind=kind).expand(source=sources()))


@task(pool=WRITER_POOL, inlets=[RAW], outlets=[STAGING])
@worth_retrying_or_final
def build_staging(as_of: str, kind: str, outlet_events: Any = None) -> None:
    """dbt: raw → staging and intermediate, with its tests."""
    from regulars.features import build_staging as build
    from regulars.row_counts import rows_of

    build(the_home(), date.fromisoformat(as_of), kind)
    outlet_events[STAGING].extra = {"as_of": as_of, **rows_of(the_home(), STAGED)}


@task
@worth_retrying_or_final
def past_cutoffs(as_of: str) -> list[str]:
    """Past as_of dates to learn from."""
    from models.training_cutoffs import cutoffs_of_home

    return [day.isoformat() for day in cutoffs_of_home(the_home(), date.fromisoformat(as_of))]


@task(pool=WRITER_POOL, inlets=[STAGING], outlets=[FEATURES])
@worth_retrying_or_final
def build_features(as_of: str, kind: str, cutoffs: list[str] | None = None, outlet_events: Any = None) -> None:
    """dbt: customer features of the night, or features and outcomes of past cutoffs, with their tests."""
    from regulars.features import build_features as build
    from regulars.row_counts import rows_of

    days = [date.fromisoformat(day) for day in cutoffs or []]
    build(the_home(), date.fromisoformat(as_of), kind, days)
    outlet_events[FEATURES].extra = {"as_of": as_of, **rows_of(the_home(), FEATURED, *(days or [date.fromisoformat(as_of)]))}


@task
@worth_retrying_or_final
def train(as_of: str) -> None:
    """Train, evaluate against the baselines on a held-out cutoff, and promote when not worse."""
    from models.train import train as train_models

    train_models(the_home(), date.fromisoformat(as_of), "training")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_raw(as_of: str) -> None:
    """The first gate: when what was landed looks wrong, the night ends here and sends nothing. See var/data_docs."""
    from quality.gate import check_raw as check

    check(the_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_features(as_of: str) -> None:
    """The second gate: when the profile of the features looks wrong, the night ends here. See var/data_docs."""
    from quality.gate import check_features as check

    check(the_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_scores(as_of: str) -> None:
    """The third gate: when the scores look wrong, nobody is put on a list because of them. See var/data_docs."""
    from quality.gate import check_scores as check

    check(the_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL, inlets=[FEATURES], outlets=[SCORES])
@worth_retrying_or_final
def score(as_of: str, outlet_events: Any = None) -> None:
    """Churn probability and expected value of every customer."""
    from regulars.row_counts import rows_of
    from scoring.score import score as score_customers

    score_customers(the_home(), date.fromisoformat(as_of), "night")
    outlet_events[SCORES].extra = {"as_of": as_of, **rows_of(the_home(), SCORED, date.fromisoformat(as_of))}


@task(pool=WRITER_POOL, inlets=[FEATURES, SCORES], outlets=[SEGMENTS])
@worth_retrying_or_final
def match_segments(as_of: str, outlet_events: Any = None) -> None:
    """Who fits which segment, who stands on which list and why, who is contacted tonight."""
    from regulars.row_counts import rows_of
    from scoring.match import match

    match(the_home(), date.fromisoformat(as_of), "night")
    outlet_events[SEGMENTS].extra = {"as_of": as_of, **rows_of(the_home(), MATCHED, date.fromisoformat(as_of))}


@task(trigger_rule="all_done")
@worth_retrying_or_final
def report(as_of: str) -> None:
    """The page for people. It is written on a red night too, and says what is missing."""
    from reporting.report import write_report

    write_report(the_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL, outlets=[PUBLISHED])
@worth_retrying_or_final
def publish(as_of: str, kind: str) -> None:
    """Publish the read-only copy of the warehouse, whatever became of the destinations."""
    from regulars.run import publish

    publish(the_home(), date.fromisoformat(as_of), kind)


@task(trigger_rule="none_failed")
@worth_retrying_or_final
def finish(as_of: str, kind: str) -> None:
    """Close the run: all of it is done."""
    from regulars.run import close_run, resume_run

    close_run(resume_run(the_home(), kind, date.fromisoformat(as_of)))
