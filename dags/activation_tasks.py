"""The tasks of activation: what would change at each destination, a person's approval where it looks wrong, and the sync."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from airflow.sdk import chain, task, task_group

from plan_approval import PlanApproval
from regulars.api_pools import api_pool, destination_kinds
from stage_assets import LISTS, SEGMENTS
from task_frame import PATIENT_RETRY, RETRY, secrets_from, the_home, worth_retrying_or_final

IN_PROCESS = "dag_test"
"""Whom Airflow names as the one who triggered a run of `airflow dags test` and `dag.test()`."""


@task
@worth_retrying_or_final
def destinations(kind: str) -> list[str]:
    """Names of the destinations of one type in config/destinations.yml."""
    from activation.destination import destination_names

    return destination_names(the_home(), kind)


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
        plan_destination(the_home(), date.fromisoformat(as_of), "night", destination, _secrets_of_destination(destination))
    except ApprovalNeeded as stopped:
        if dag_run.triggering_user_name == IN_PROCESS:
            raise
        return {"as_of": as_of, "destination": destination, "plan_sha256": stopped.plan_sha256, "question": stopped.question}
    return {"as_of": as_of, "destination": destination}


@task(map_index_template="{{ destination }}", inlets=[SEGMENTS], outlets=[LISTS], **PATIENT_RETRY)
@worth_retrying_or_final
def push(destination: str, as_of: str, outlet_events: Any = None) -> None:
    """Bring the planned changes to one destination, read them back, and write them to the ledger."""
    from airflow.sdk import get_current_context

    from activation.sync import push_destination
    from regulars.row_counts import synced_rows

    get_current_context()["destination"] = destination
    push_destination(the_home(), date.fromisoformat(as_of), "night", destination, _secrets_of_destination(destination))
    found = synced_rows(the_home(), destination, date.fromisoformat(as_of))
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


def _secrets_of_destination(name: str) -> dict[str, str]:
    from activation.destination import load_destination

    settings = load_destination(the_home(), name).settings
    return secrets_from(settings.connection, settings.secrets_of)
