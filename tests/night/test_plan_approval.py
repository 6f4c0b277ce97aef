"""What the answer of a person in Airflow does to a plan that the guard stopped."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activation.guard import ApprovalNeeded
from activation.sync import plan_destination, push_destination
from regulars.home import Home
from tests.activation.activation_home import ActivationHome, Night, customers

D1 = date(2026, 3, 1)
D2 = D1 + timedelta(days=1)


@pytest.fixture
def stopped(tmp_path: Path, airflow_home: Home, monkeypatch: pytest.MonkeyPatch) -> tuple[ActivationHome, ApprovalNeeded]:
    """A folder of 60 loyal customers that would become empty tonight."""
    monkeypatch.setenv("REGULARS_PROGRESS", str(tmp_path / "progress"))
    shop = ActivationHome(tmp_path / "home", "lists:\n  type: csv_folder\n")
    monkeypatch.setenv("REGULARS_HOME", str(shop.home.path))
    shop.night(D1, Night({"loyal": customers(60), "follow_up": []}))
    push_destination(shop.home, D1, "night", "lists")
    shop.end_night(D1)
    shop.night(D2, Night({"loyal": [], "follow_up": []}))
    with pytest.raises(ApprovalNeeded) as caught:
        plan_destination(shop.home, D2, "night", "lists")
    return shop, caught.value


def answer(plan: dict[str, str], option: str) -> None:
    from plan_approval import PlanApproval

    event: dict[str, Any] = {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime(2026, 3, 2, tzinfo=UTC),
        "responded_by_user": {"id": "1", "name": "marta"},
    }
    PlanApproval(task_id="approve", plan=plan).execute_complete({}, event)


def test_an_approved_plan_is_pushed(stopped: tuple[ActivationHome, ApprovalNeeded]) -> None:
    shop, needed = stopped
    assert "| Loyal customers | 60 | 0 | 60 | 0 | 0 |" in needed.question
    assert needed.plan_sha256 in needed.question
    answer({"destination": "lists", "plan_sha256": needed.plan_sha256}, "Approve")
    assert shop.query("select decision, decided_by from decisions") == [("approved", "marta in Airflow")]
    push_destination(shop.home, D2, "night", "lists")
    assert (shop.home.lists / "latest" / "loyal.csv").read_bytes().count(b"\r\n") == 1


def test_a_refused_plan_fails_the_task_and_sends_nothing(stopped: tuple[ActivationHome, ApprovalNeeded]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    shop, needed = stopped
    with pytest.raises(AirflowFailException, match="refused by marta in Airflow"):
        answer({"destination": "lists", "plan_sha256": needed.plan_sha256}, "Reject")
    assert shop.query("select decision from decisions") == [("refused",)]
    with pytest.raises(ApprovalNeeded):
        push_destination(shop.home, D2, "night", "lists")


def test_an_answer_to_a_plan_that_waits_no_more_is_refused(stopped: tuple[ActivationHome, ApprovalNeeded]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="no single plan that waits"):
        answer({"destination": "lists", "plan_sha256": "f" * 64}, "Approve")


def test_a_plan_that_passed_the_guard_asks_nobody() -> None:
    from plan_approval import PlanApproval

    assert PlanApproval(task_id="approve", plan={"destination": "lists"}).execute({}) is None
