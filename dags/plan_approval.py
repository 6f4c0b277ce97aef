"""The task that waits for a person when the guard stopped a plan: answered on Airflow's page "Required Actions", or by its API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk.exceptions import AirflowFailException

WAIT = timedelta(hours=24)


class PlanApproval(ApprovalOperator):
    """Ends at once for a plan that the guard let pass; else asks whether to push it, and writes the answer down.

    Refused, or without an answer within 24 hours, the task fails and nothing is sent.

    Args:
        plan: what the task `plan` returned: as_of, destination, and question and plan_sha256 when the guard stopped the plan.
    """

    template_fields = ("plan",)

    def __init__(self, *, plan: Mapping[str, str], **kwargs: Any):
        super().__init__(subject="The guard has stopped a plan", response_timeout=WAIT, **kwargs)
        self.plan = plan

    def execute(self, context: Any) -> Any:
        if "plan_sha256" not in self.plan:
            return None
        self.subject = f"Push the night of {self.plan['as_of']} to {self.plan['destination']}? The guard has stopped it"
        self.body = self.plan["question"]
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from activation.approval import decide
        from regulars.errors import RegularsError
        from regulars.home import Home

        try:
            # Not that of ApprovalOperator, which would skip the push and leave a night green that sent nothing.
            answer = HITLOperator.execute_complete(self, context, event)
            is_approved = answer["chosen_options"] == [self.APPROVE]
            person = f"{(answer['responded_by_user'] or {}).get('name', 'somebody')} in Airflow"
            decide(Home.from_environment(), self.plan["plan_sha256"], "approved" if is_approved else "refused", person)
        except HITLTimeoutError:
            raise AirflowFailException("nobody answered within 24 hours; nothing was sent. Clear the task plan to be asked again") from None
        except RegularsError as error:
            raise AirflowFailException(str(error)) from None
        if not is_approved:
            raise AirflowFailException(f"refused by {person}; nothing was sent")
