"""The tasks that the DAGs are made of: each calls one function of one stage, imported inside so that parsing is quick."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, timedelta
from functools import wraps
from typing import Any

from airflow.sdk import Param, chain, task, task_group
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from plan_approval import PlanApproval
from regulars.api_pools import api_pool, destination_kinds
from stage_assets import FEATURES, LISTS, PUBLISHED, RAW, SCORES, SEGMENTS, STAGING

IN_PROCESS = "dag_test"
"""Whom Airflow names as the one who triggered a run of `airflow dags test` and `dag.test()`."""

WRITER_POOL = "warehouse_writer"
RETRY: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}
"""For every task: one is tried again when it said so (another process is at work, an API did not answer) or when its process
was killed. Any other error ends it at once, for it would come again."""

LATE_TRAINING: dict[str, Any] = {"retries": 12, "retry_delay": timedelta(minutes=10)}
"""A night waits two hours for a training, or a night, that is still at work."""

STAGED = ("intermediate.int_orders", "intermediate.int_refund_allocations")
FEATURED = ("features.customer_features",)
SCORED = ("scores.customer_scores",)
MATCHED = ("segments.segment_matches", "segments.segment_memberships", "segments.plays")
"""Tables whose rows an asset's event counts."""

AS_OF = Param(
    None,
    type=["null", "string"],
    format="date",
    title="as_of",
    description="Only events before the start of this day in shop time count. Empty: the shop's date when the run starts.",
)


def worth_retrying_or_final(function: Callable[..., Any]) -> Callable[..., Any]:
    """End a task at once on an error that a retry cannot mend, and tell the command that watches the run why it failed."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        from regulars.errors import RegularsError, TryAgain, Unforeseen
        from regulars.progress import keep_libraries_quiet, report_failure

        keep_libraries_quiet()
        try:
            return function(*args, **kwargs)
        except RegularsError as error:
            report_failure(str(error), error.exit_code)
            if isinstance(error, TryAgain):
                raise
            raise AirflowFailException(str(error)) from None
        except AirflowException:
            raise
        except Exception as error:
            report_failure(str(Unforeseen(error)), Unforeseen.exit_code)
            raise AirflowFailException(str(Unforeseen(error))) from None

    return run


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


def _home() -> Any:
    """The home, with the address of its warehouse where an Airflow connection holds it."""
    from dataclasses import replace

    from airflow.sdk import Connection

    from regulars.home import Home
    from regulars.settings import warehouse_settings

    home = Home.from_environment()
    connection = warehouse_settings(home).connection
    if connection is None:
        return home
    # Whatever type somebody gave the connection in Airflow's pages, it leads to Postgres.
    return replace(home, warehouse_url="postgresql:" + Connection.get(connection).get_uri().partition(":")[2])


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

    home = _home()
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


def _secrets(connection_id: str | None, secrets_of: Callable[[str | None, str | None], dict[str, str]]) -> dict[str, str]:
    """What the Airflow connection of a source or a destination holds, when its configuration names one."""
    from airflow.sdk import Connection

    if connection_id is None:
        return {}
    connection = Connection.get(connection_id)
    return secrets_of(connection.login, connection.password)


def _secrets_of_destination(name: str) -> dict[str, str]:
    from activation.destination import load_destination

    settings = load_destination(_home(), name).settings
    return _secrets(settings.connection, settings.secrets_of)


@task
@worth_retrying_or_final
def sources() -> list[str]:
    """Names of the sources in config/sources.yml."""
    from ingestion.source import source_names

    return source_names(_home())


@task(map_index_template="{{ source }}", pool="sources", **RETRY)
@worth_retrying_or_final
def extract(source: str, as_of: str, kind: str) -> str:
    """Read what is new at one source into Parquet; the warehouse is not touched."""
    from airflow.sdk import get_current_context

    from ingestion.extraction import extract_source
    from ingestion.source import source_settings

    get_current_context()["source"] = source
    settings = source_settings(_home(), source)
    extract_source(_home(), source, date.fromisoformat(as_of), kind, _secrets(settings.connection, settings.secrets_of))
    return source


@task(map_index_template="{{ source }}", pool=WRITER_POOL, outlets=[RAW])
@worth_retrying_or_final
def land(source: str, as_of: str, kind: str, outlet_events: Any = None) -> None:
    """Write one source's extract to raw: whole, once, and with its account."""
    from airflow.sdk import get_current_context

    from ingestion.landing import land_source
    from regulars.row_counts import landed_rows

    get_current_context()["source"] = source
    land_source(_home(), source, date.fromisoformat(as_of), kind)
    outlet_events[RAW].extra = {"as_of": as_of, "source": source, **landed_rows(_home(), source, date.fromisoformat(as_of), kind)}


@task_group
def ingest(as_of: str, kind: str) -> None:
    land.partial(as_of=as_of, kind=kind).expand(source=extract.partial(as_of=as_of, kind=kind).expand(source=sources()))


@task(pool=WRITER_POOL, inlets=[RAW], outlets=[STAGING])
@worth_retrying_or_final
def build_staging(as_of: str, kind: str, outlet_events: Any = None) -> None:
    """dbt: raw → staging and intermediate, with its tests."""
    from regulars.features import build_staging as build
    from regulars.row_counts import rows_of

    build(_home(), date.fromisoformat(as_of), kind)
    outlet_events[STAGING].extra = {"as_of": as_of, **rows_of(_home(), STAGED)}


@task
@worth_retrying_or_final
def past_cutoffs(as_of: str) -> list[str]:
    """Past as_of dates to learn from."""
    from models.training_cutoffs import cutoffs_of_home

    return [day.isoformat() for day in cutoffs_of_home(_home(), date.fromisoformat(as_of))]


@task(pool=WRITER_POOL, inlets=[STAGING], outlets=[FEATURES])
@worth_retrying_or_final
def build_features(as_of: str, kind: str, cutoffs: list[str] | None = None, outlet_events: Any = None) -> None:
    """dbt: customer features of the night, or features and outcomes of past cutoffs, with their tests."""
    from regulars.features import build_features as build
    from regulars.row_counts import rows_of

    days = [date.fromisoformat(day) for day in cutoffs or []]
    build(_home(), date.fromisoformat(as_of), kind, days)
    outlet_events[FEATURES].extra = {"as_of": as_of, **rows_of(_home(), FEATURED, *(days or [date.fromisoformat(as_of)]))}


@task
@worth_retrying_or_final
def train(as_of: str) -> None:
    """Train, evaluate against the baselines on a held-out cutoff, and promote when not worse."""
    from models.train import train as train_models

    train_models(_home(), date.fromisoformat(as_of), "training")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_raw(as_of: str) -> None:
    """The first gate: when what was landed looks wrong, the night ends here and sends nothing. See var/data_docs."""
    from quality.gate import check_raw as check

    check(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_features(as_of: str) -> None:
    """The second gate: when the profile of the features looks wrong, the night ends here. See var/data_docs."""
    from quality.gate import check_features as check

    check(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def check_scores(as_of: str) -> None:
    """The third gate: when the scores look wrong, nobody is put on a list because of them. See var/data_docs."""
    from quality.gate import check_scores as check

    check(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL, inlets=[FEATURES], outlets=[SCORES])
@worth_retrying_or_final
def score(as_of: str, outlet_events: Any = None) -> None:
    """Churn probability and expected value of every customer."""
    from regulars.row_counts import rows_of
    from scoring.score import score as score_customers

    score_customers(_home(), date.fromisoformat(as_of), "night")
    outlet_events[SCORES].extra = {"as_of": as_of, **rows_of(_home(), SCORED, date.fromisoformat(as_of))}


@task(pool=WRITER_POOL, inlets=[FEATURES, SCORES], outlets=[SEGMENTS])
@worth_retrying_or_final
def match_segments(as_of: str, outlet_events: Any = None) -> None:
    """Who fits which segment, who stands on which list, who is contacted tonight."""
    from regulars.row_counts import rows_of
    from scoring.match import match

    match(_home(), date.fromisoformat(as_of), "night")
    outlet_events[SEGMENTS].extra = {"as_of": as_of, **rows_of(_home(), MATCHED, date.fromisoformat(as_of))}


@task
@worth_retrying_or_final
def destinations(kind: str) -> list[str]:
    """Names of the destinations of one type in config/destinations.yml."""
    from activation.destination import destination_names

    return destination_names(_home(), kind)


@task(map_index_template="{{ destination }}", **RETRY)
@worth_retrying_or_final
def plan(destination: str, as_of: str, dag_run: Any = None) -> dict[str, str]:
    """What would change at one destination, held against the guard; nothing is sent.

    A plan that the guard stopped waits for a person where one can answer: not in a run within one process, as of `make night`,
    which ends with the command that approves it.
    """
    from airflow.sdk import get_current_context

    from activation.guard import ApprovalNeeded
    from activation.sync import plan_destination

    get_current_context()["destination"] = destination
    try:
        plan_destination(_home(), date.fromisoformat(as_of), "night", destination, _secrets_of_destination(destination))
    except ApprovalNeeded as stopped:
        if dag_run.triggering_user_name == IN_PROCESS:
            raise
        return {"as_of": as_of, "destination": destination, "plan_sha256": stopped.plan_sha256, "question": stopped.question}
    return {"as_of": as_of, "destination": destination}


@task(map_index_template="{{ destination }}", inlets=[SEGMENTS], outlets=[LISTS], **RETRY)
@worth_retrying_or_final
def push(destination: str, as_of: str, outlet_events: Any = None) -> None:
    """Bring the planned changes to one destination, read them back, and write them to the ledger."""
    from airflow.sdk import get_current_context

    from activation.sync import push_destination
    from regulars.row_counts import synced_rows

    get_current_context()["destination"] = destination
    push_destination(_home(), date.fromisoformat(as_of), "night", destination, _secrets_of_destination(destination))
    found = synced_rows(_home(), destination, date.fromisoformat(as_of))
    outlet_events[LISTS].extra = {"as_of": as_of, "destination": destination, **found}


def activate_all(as_of: Any) -> Iterator[tuple[Any, Any]]:
    """For each type of destination the names of those that the home has, and their sync, in the type's own pool.

    All of one type talk to one API and share its limits; a mapped task has one pool, so each type is a group of its own.
    """
    for kind in destination_kinds():
        names = destinations.override(task_id=f"{kind}_destinations")(kind)
        group = activate.override(group_id=f"activate_{kind}", default_args={"pool": api_pool(kind)})
        yield names, group.partial(as_of=as_of).expand(destination=names)


@task_group
def activate(destination: str, as_of: str) -> None:
    planned = plan(destination, as_of)
    chain(planned, PlanApproval(task_id="approve", plan=planned), push(destination, as_of))


@task
@worth_retrying_or_final
def past_days(params: dict[str, Any] | None = None) -> list[str]:
    """The past as_of dates to rebuild, each by itself."""
    from regulars.rebuilds import past_days as days_between

    given = params or {}
    first = date.fromisoformat(given["from"])
    last = date.fromisoformat(given["until"]) if given.get("until") else first
    return [day.isoformat() for day in days_between(_home(), first, last)]


@task(map_index_template="{{ as_of }}", pool=WRITER_POOL)
@worth_retrying_or_final
def rebuild(as_of: str) -> None:
    """The lists of one past night from what it knew, in var/rebuilds/: nothing is sent, and no table keeps anything of it."""
    from airflow.sdk import get_current_context

    from activation.past_lists import write_past_lists
    from models.serving import scorer_for
    from regulars.rebuilds import rebuilt_night
    from scoring.match import write_segments
    from scoring.score import write_scores

    get_current_context()["as_of"] = as_of
    with rebuilt_night(_home(), date.fromisoformat(as_of)) as past:
        run, night = past.run, past.night
        write_scores(past.warehouse, run, scorer_for(run.home, run.as_of, run.settings, night.model_version))
        write_segments(past.warehouse, run, night.contacts_known_until)
        run.summary = write_past_lists(past.warehouse, run, night.contacts_known_until)


@task(trigger_rule="all_done")
@worth_retrying_or_final
def report(as_of: str) -> None:
    """The page for people. It is written on a red night too, and says what is missing."""
    from reporting.report import write_report

    write_report(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL, outlets=[PUBLISHED], trigger_rule="none_failed")
@worth_retrying_or_final
def finish(as_of: str, kind: str) -> None:
    """Publish the read-only copy of the warehouse and close the run."""
    from regulars.run import finish_run

    finish_run(_home(), date.fromisoformat(as_of), kind)
