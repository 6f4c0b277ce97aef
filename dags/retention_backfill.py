"""On demand: what past nights decided, computed again from what they knew. Nothing is ever sent."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.sdk import Param, dag, task

from task_frame import RETRY, WRITER_POOL, the_home, worth_retrying_or_final

DOC = """
### Past nights, rebuilt

For every day from `from` until `until`: the lists of that night, from what had been learned by then, with the configuration
and the model of that night, in `var/rebuilds/<as_of>/`. The lists of a night that was sent come out byte for byte.

**Nothing is sent**, the sources are not read, and neither the lists, the ledger nor the history of any later night change.
One night is rebuilt at a time, and none while a night or a training is at work.

| when this is red | it means | do this |
| --- | --- | --- |
| `past_days` | not all of the days are past | give days not later than the latest night that was sent |
| `rebuild` | the model or the configuration of that night is gone | put back the folder that the message names, clear the task |
| `rebuild`, try again | a night or a training is at work | clear the task when it has ended |

A day without a night of its own knows what had been learned by its start. Persons who were erased, and rows that have
expired since, are missing.
"""

DAY = {"format": "date", "description": "A day of the shop, whose night is past."}


@task
@worth_retrying_or_final
def past_days(params: dict[str, Any] | None = None) -> list[str]:
    """The past as_of dates to rebuild, each by itself."""
    from regulars.rebuilds import past_days as days_between

    given = params or {}
    first = date.fromisoformat(given["from"])
    last = date.fromisoformat(given["until"]) if given.get("until") else first
    return [day.isoformat() for day in days_between(the_home(), first, last)]


@task(map_index_template="{{ as_of }}", pool=WRITER_POOL)
@worth_retrying_or_final
def rebuild(as_of: str) -> None:
    """The lists of one past night from what it knew, in var/rebuilds/: nothing is sent, and no table keeps anything of it."""
    from airflow.sdk import get_current_context

    from activation.past_lists import write_past_lists
    from models.serving import scorer_for
    from regulars.rebuilds import rebuilt_night
    from scoring.match import write_segments
    from scoring.reasons import write_reasons
    from scoring.score import write_scores

    get_current_context()["as_of"] = as_of
    with rebuilt_night(the_home(), date.fromisoformat(as_of)) as past:
        run, night = past.run, past.night
        scorer = scorer_for(run.home, past.warehouse, run.as_of, run.settings, night.model_version)
        write_scores(past.warehouse, run, scorer)
        write_segments(past.warehouse, run, night.contacts_known_until)
        write_reasons(past.warehouse, run, scorer)
        run.summary = write_past_lists(past.warehouse, run, night.contacts_known_until)


@dag(
    schedule=None,
    max_active_runs=1,
    params={
        "from": Param(type="string", title="from", **DAY),
        "until": Param(None, type=["null", "string"], title="until", **DAY),
    },
    tags=["regulars", "on demand"],
    default_args={"owner": "regulars", **RETRY},
    description="Past nights' lists into var/rebuilds; sends nothing",
    doc_md=DOC,
)
def retention_backfill() -> None:
    rebuild.expand(as_of=past_days())


retention_backfill()
