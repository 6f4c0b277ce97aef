"""Every week: learn from the past, and let the new model score when it is not worse."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, chain, dag

from retention_tasks import AS_OF, build_features, build_staging, finish, ingest, night_hour, open_, past_cutoffs, publish, train
from task_frame import RETRY

DOC = """
### The weekly training

Computes features and outcomes at past cutoffs, as they were known then, trains the churn and the value model on them,
and holds them against the baselines on a cutoff that they did not see. The new model is promoted when it is not worse;
otherwise the serving one stays and the log of `train` says why.

| when this is red | do this |
| --- | --- |
| `ingest`, `build_staging`, `build_features` | as in `retention_nightly` |
| `train` | the message says what is missing; the nights go on with the model that serves |
"""


@dag(
    # Without a start_date: a DAG that is switched on waits for its next hour instead of running at once.
    schedule=CronTriggerTimetable(f"0 {(night_hour() - 2) % 24} * * 0", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"as_of": AS_OF},
    tags=["regulars", "weekly"],
    default_args={"owner": "regulars", **RETRY},
    description="Learn from the past; promote when not worse",
    doc_md=DOC,
)
def retention_training() -> None:
    as_of = open_("training")
    ingested = ingest(as_of, "training")
    staged = build_staging(as_of, "training")
    cutoffs = past_cutoffs(as_of)
    features = build_features(as_of, "training", cutoffs)
    chain(as_of, ingested, staged, cutoffs, features, train(as_of), publish(as_of, "training"), finish(as_of, "training"))


retention_training()
