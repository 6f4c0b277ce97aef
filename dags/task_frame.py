"""What every task stands in: its pool and retries, how its errors end it, the home, and the secrets of its connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

WRITER_POOL = "warehouse_writer"
RETRY: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}
"""For every task: one is tried again when it said so (another process is at work, an API did not answer) or when its process
was killed. Any other error ends it at once, for it would come again."""
PATIENT_RETRY: dict[str, Any] = {
    "retries": 16,
    "retry_delay": RETRY["retry_delay"],
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}
"""For one that may meet a training, which is at work for up to two hours, or a tool that is down for as long."""


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
            if isinstance(error, TryAgain) and not _is_waited_for():
                raise
            raise AirflowFailException(str(error)) from None
        except AirflowException:
            raise
        except Exception as error:
            report_failure(str(Unforeseen(error)), Unforeseen.exit_code)
            raise AirflowFailException(str(Unforeseen(error))) from None

    return run


def _is_waited_for() -> bool:
    """Whether a person waits at the terminal, who has seen a few tries by now."""
    from airflow.sdk import get_current_context

    return "REGULARS_PROGRESS" in os.environ and get_current_context()["ti"].try_number > RETRY["retries"]


def the_home() -> Any:
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


def secrets_from(connection_id: str | None, secrets_of: Callable[[str | None, str | None], dict[str, str]]) -> dict[str, str]:
    """What the Airflow connection of a source or a destination holds, when its configuration names one."""
    from airflow.sdk import Connection

    if connection_id is None:
        return {}
    connection = Connection.get(connection_id)
    return secrets_of(connection.login, connection.password)
