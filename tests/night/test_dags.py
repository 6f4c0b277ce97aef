"""What a data engineer expects of the DAGs, and what the assets tell of a night."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activation.destination import destination_types
from regulars.api_pools import destination_kinds, pools
from regulars.clock import utc_hour
from regulars.errors import TryAgain
from regulars.home import Home
from tests.campaigns.night_process import steps
from tests.night.conftest import FIRST_NIGHT


def test_every_dag_runs_alone_says_what_to_do_and_waits_in_pools_that_exist(dags: dict[str, Any]) -> None:
    assert {"retention_nightly", "retention_training"} <= dags.keys()
    for dag in dags.values():
        assert dag.max_active_runs == 1
        assert not dag.catchup
        assert "when" in dag.doc_md
        assert "clear" in dag.doc_md or "as in" in dag.doc_md
        for task in dag.tasks:
            assert task.pool in pools() or task.pool == "default_pool", task.task_id
            assert task.retries >= 2, task.task_id


def test_each_api_has_a_pool_of_its_own(dags: dict[str, Any]) -> None:
    assert destination_kinds() == destination_types()
    nightly = dags["retention_nightly"]
    for kind in destination_kinds():
        tasks = [task for task in nightly.tasks if task.task_id.startswith(f"activate_{kind}.")]
        assert len(tasks) >= 2
        assert {task.pool for task in tasks} == {f"destination_{kind}"}


def test_a_night_waits_for_a_late_training(dags: dict[str, Any]) -> None:
    first = dags["retention_nightly"].get_task("open")
    assert first.retries * first.retry_delay.total_seconds() >= 2 * 3600


def test_an_approved_push_waits_for_a_training_that_began_meanwhile(dags: dict[str, Any]) -> None:
    for kind in destination_kinds():
        push = dags["retention_nightly"].get_task(f"activate_{kind}.push")
        waits = [min(push.retry_delay * push.retry_exponential_backoff**number, push.max_retry_delay) for number in range(push.retries)]
        assert sum(waits, timedelta()) >= timedelta(hours=2)


@pytest.mark.parametrize(("watched", "tries", "is_final"), [(True, 2, False), (True, 3, True), (False, 3, False), (False, 16, False)])
def test_who_waits_at_the_terminal_is_told_after_a_few_tries(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, watched: bool, tries: int, is_final: bool
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from task_frame import worth_retrying_or_final

    def busy() -> None:
        raise TryAgain("a training is running")

    monkeypatch.setattr("airflow.sdk.get_current_context", lambda: {"ti": SimpleNamespace(try_number=tries)})
    monkeypatch.delenv("REGULARS_PROGRESS", raising=False)
    if watched:
        monkeypatch.setenv("REGULARS_PROGRESS", str(tmp_path / "progress"))
    with pytest.raises(AirflowFailException if is_final else TryAgain, match="a training is running"):
        worth_retrying_or_final(busy)()


def test_assets_count_rows_and_name_nobody(airflow_home: Home, finished_home: Home) -> None:
    database = sqlite3.connect(airflow_home.var / "airflow" / "airflow.db")
    events = database.execute("select asset.name, asset_event.extra from asset_event join asset on asset.id = asset_id").fetchall()
    database.close()
    of_night = [(name, json.loads(extra)) for name, extra in events if json.loads(extra).get("as_of") == FIRST_NIGHT.isoformat()]
    assert {name for name, _ in of_night} >= {"raw", "staging", "features", "scores", "segments", "lists"}
    most: dict[str, int] = {}
    for name, extra in of_night:
        counts = [value for key, value in extra.items() if key not in ("as_of", "source", "destination")]
        assert all(isinstance(value, int) for value in counts), name
        most[name] = max(most.get(name, 0), *counts)
    # The night reads what the training before it has landed: that event of raw counts nothing.
    assert all(count > 0 for count in most.values()), most


def test_the_killer_kills_the_night_that_the_dag_runs(finished_home: Home) -> None:
    """The campaign's driver runs the stages without Airflow: it must run the same ones."""
    with sqlite3.connect(finished_home.state) as state:
        done = {row[0] for row in state.execute("select step from steps join runs using (run_id) where kind = 'night'")}
    assert {name for name, _ in steps(finished_home, FIRST_NIGHT)} - {"open"} == done


@pytest.mark.parametrize(
    ("zone", "expected"), [("UTC", 3), ("Europe/Berlin", 2), ("America/Los_Angeles", 11), ("Asia/Kolkata", 22), ("Australia/Sydney", 17)]
)
def test_the_night_begins_in_the_shops_morning(zone: str, expected: int) -> None:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    assert utc_hour(3, zone) == expected
    local = {datetime(2026, month, 15, expected, tzinfo=UTC).astimezone(ZoneInfo(zone)).hour for month in range(1, 13)}
    assert local <= {3, 4}
