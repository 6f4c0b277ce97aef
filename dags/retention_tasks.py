"""The tasks that the DAGs are made of: each calls one function of one stage, imported inside so that parsing is quick."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, timedelta
from functools import wraps
from typing import Any

from airflow.sdk import Param, chain, task, task_group
from airflow.sdk.exceptions import AirflowFailException

from plan_approval import PlanApproval

IN_PROCESS = "dag_test"
"""Whom Airflow names as the one who triggered a run of `airflow dags test` and `dag.test()`."""

WRITER_POOL = "warehouse_writer"
RETRY: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}
"""For tasks that talk to the world outside; the others would fail the same way twice."""

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
        from regulars.errors import RegularsError, TryAgain
        from regulars.progress import report_failure

        try:
            return function(*args, **kwargs)
        except RegularsError as error:
            report_failure(str(error), error.exit_code)
            if isinstance(error, TryAgain):
                raise
            raise AirflowFailException(str(error)) from None

    return run


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


@task(task_id="open")
@worth_retrying_or_final
def open_(kind: str, params: dict[str, Any] | None = None, dag_run: Any = None) -> str:
    """Make this the home's active run; gives the as_of to all other tasks."""
    from activation.destination import destination_names, load_destination
    from ingestion.source import load_sources
    from regulars.clock import shop_date
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
    open_run(home, kind, as_of)
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


@task(map_index_template="{{ source }}", **RETRY)
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


@task(map_index_template="{{ source }}", pool=WRITER_POOL)
@worth_retrying_or_final
def land(source: str, as_of: str, kind: str) -> None:
    """Write one source's extract to raw: whole, once, and with its account."""
    from airflow.sdk import get_current_context

    from ingestion.landing import land_source

    get_current_context()["source"] = source
    land_source(_home(), source, date.fromisoformat(as_of), kind)


@task_group
def ingest(as_of: str, kind: str) -> None:
    land.partial(as_of=as_of, kind=kind).expand(source=extract.partial(as_of=as_of, kind=kind).expand(source=sources()))


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def build_staging(as_of: str, kind: str) -> None:
    """dbt: raw → staging and intermediate, with its tests."""
    from regulars.features import build_staging as build

    build(_home(), date.fromisoformat(as_of), kind)


@task
@worth_retrying_or_final
def past_cutoffs(as_of: str) -> list[str]:
    """Past as_of dates to learn from."""
    from models.training_cutoffs import cutoffs_of_home

    return [day.isoformat() for day in cutoffs_of_home(_home(), date.fromisoformat(as_of))]


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def build_features(as_of: str, kind: str, cutoffs: list[str] | None = None) -> None:
    """dbt: customer features of the night, or features and outcomes of past cutoffs, with their tests."""
    from regulars.features import build_features as build

    build(_home(), date.fromisoformat(as_of), kind, [date.fromisoformat(day) for day in cutoffs or []])


@task
@worth_retrying_or_final
def train(as_of: str) -> None:
    """Train, evaluate against the baselines on a held-out cutoff, and promote when not worse."""
    from models.train import train as train_models

    train_models(_home(), date.fromisoformat(as_of), "training")


@task
@worth_retrying_or_final
def check_features(as_of: str) -> None:
    """The gate: when the profile of the features looks wrong, the night ends here and sends nothing."""
    from quality.gate import check_features as check

    check(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def score(as_of: str) -> None:
    """Churn probability and expected value of every customer."""
    from scoring.score import score as score_customers

    score_customers(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def match_segments(as_of: str) -> None:
    """Who fits which segment, who stands on which list, who is contacted tonight."""
    from scoring.match import match

    match(_home(), date.fromisoformat(as_of), "night")


@task
@worth_retrying_or_final
def destinations() -> list[str]:
    """Names of the destinations in config/destinations.yml."""
    from activation.destination import destination_names

    return destination_names(_home())


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


@task(map_index_template="{{ destination }}", **RETRY)
@worth_retrying_or_final
def push(destination: str, as_of: str) -> None:
    """Bring the planned changes to one destination, read them back, and write them to the ledger."""
    from airflow.sdk import get_current_context

    from activation.sync import push_destination

    get_current_context()["destination"] = destination
    push_destination(_home(), date.fromisoformat(as_of), "night", destination, _secrets_of_destination(destination))


@task_group
def activate(destination: str, as_of: str) -> None:
    planned = plan(destination, as_of)
    chain(planned, PlanApproval(task_id="approve", plan=planned), push(destination, as_of))


@task(trigger_rule="all_done")
@worth_retrying_or_final
def report(as_of: str) -> None:
    """The page for people. It is written on a red night too, and says what is missing."""
    from reporting.report import write_report

    write_report(_home(), date.fromisoformat(as_of), "night")


@task(pool=WRITER_POOL)
@worth_retrying_or_final
def finish(as_of: str, kind: str) -> None:
    """Publish the read-only copy of the warehouse and close the run."""
    from regulars.run import finish_run

    finish_run(_home(), date.fromisoformat(as_of), kind)
