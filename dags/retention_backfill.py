"""On demand: what past nights decided, computed again from what they knew. Nothing is ever sent."""

from __future__ import annotations

from airflow.sdk import Param, dag

from retention_tasks import past_days, rebuild

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


@dag(
    schedule=None,
    max_active_runs=1,
    params={
        "from": Param(type="string", title="from", **DAY),
        "until": Param(None, type=["null", "string"], title="until", **DAY),
    },
    tags=["regulars", "on demand"],
    default_args={"owner": "regulars"},
    description="Past nights' lists into var/rebuilds; sends nothing",
    doc_md=DOC,
)
def retention_backfill() -> None:
    rebuild.expand(as_of=past_days())


retention_backfill()
