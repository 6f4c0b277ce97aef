"""Every night: orders in, segment lists out."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, chain, dag

from activation_tasks import activate_all
from retention_tasks import (
    AS_OF,
    build_features,
    build_staging,
    check_features,
    check_raw,
    check_scores,
    finish,
    ingest,
    match_segments,
    night_hour,
    open_,
    publish,
    report,
    score,
)
from task_frame import RETRY

DOC = """
### The night of a shop

Reads what is new at the sources, builds the features of every customer, scores churn and value, decides who stands on
which list, and brings the lists to the destinations. **as_of** is the start of a day in shop time: only what happened
before it counts.

| when this is red | it means | do this |
| --- | --- | --- |
| `open` | a training or another night is at work; it waits up to two hours for it | nothing, or end the other run |
| any task, "the warehouse was restored" | its file was damaged in the middle of the night | clear the run from `open` |
| `ingest.extract`, `ingest.land` | a file or an API could not be read | mend what the message names, then clear the task |
| `build_staging`, `build_features` | dbt stopped, or a data test failed | see `var/logs/dbt/dbt.log`; clear the task when it is mended |
| `check_raw`, `check_features`, `check_scores` | the data look like an accident | see `var/data_docs/<as_of>.html`; mend or accept, clear |
| `score` | the model's file was changed | run `retention_training` |
| `activate_….approve` waits | the guard holds a plan that looks like an accident | answer under Required Actions within 24 hours |
| `activate_….approve` | it was refused, or nobody answered; nothing was sent | mend the cause, clear `activate_….plan` |
| `activate_….push` | the tool refused or did not answer | clear the task: it sends only what is still missing |
| `activate_….push` says "approve" | the plan changed after it was approved | clear `activate_….plan` to be asked again |

Clearing or triggering again is always safe: the same as_of gives the same result, and nothing is sent twice.
Yesterday's lists stay untouched until a night has passed its gates and its guard.
"""


@dag(
    # Without a start_date: a DAG that is switched on waits for its next hour instead of running at once.
    schedule=CronTriggerTimetable(f"0 {night_hour()} * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"as_of": AS_OF},
    tags=["regulars", "nightly"],
    default_args={"owner": "regulars", **RETRY},
    description="Orders in, segment lists out",
    doc_md=DOC,
)
def retention_nightly() -> None:
    as_of = open_("night")
    ingested = ingest(as_of, "night")
    staged = build_staging(as_of, "night")
    raw_gate = check_raw(as_of)
    features = build_features(as_of, "night")
    features_gate = check_features(as_of)
    scored = score(as_of)
    scores_gate = check_scores(as_of)
    matched = match_segments(as_of)
    reported, published, done = report(as_of), publish(as_of, "night"), finish(as_of, "night")
    chain(as_of, ingested, staged, raw_gate, features, features_gate, scored, scores_gate, matched)
    for names, activated in activate_all(as_of):
        chain(matched, names, activated, reported)
        chain(activated, done)
    # Neither a tool that fails nor a plan that nobody approves keeps the night's figures from people.
    chain(matched, published)
    chain(reported, published, done)


retention_nightly()
