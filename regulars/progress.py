"""What a person sees while a run works: one line a step, as it starts and as it ends.

Steps may run in other processes than the one that a person watches (Airflow's), so the lines go to the file that
REGULARS_PROGRESS names when it is set, and to standard error when it is not.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3", "httpx", "httpcore", "psycopg", "sqlalchemy", "asyncio")
"""Libraries that log whole requests and answers, headers and statements when somebody turns logging up."""


def keep_libraries_quiet() -> None:
    """Let the libraries that talk to the world log warnings alone, however much an operator wants to see of the rest."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def say(line: str) -> None:
    """Show one line. It must not hold personal data."""
    file = os.environ.get("REGULARS_PROGRESS")
    if file:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    else:
        print(line, file=sys.stderr, flush=True)


def report_failure(message: str, exit_code: int) -> None:
    """Leave why a step failed where the command that watches the run finds it: Airflow's own exit code is always 1."""
    file = os.environ.get("REGULARS_PROGRESS")
    if file and not failure_file(Path(file)).exists():  # the first failure is the cause of later ones
        failure_file(Path(file)).write_text(json.dumps({"message": message, "exit_code": exit_code}), encoding="utf-8")


def failure_file(progress: Path) -> Path:
    return progress.with_suffix(".failure")
