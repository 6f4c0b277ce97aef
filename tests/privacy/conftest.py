"""Everything here runs with logging turned up as far as it goes."""

import logging
import os
from collections.abc import Iterator

import pytest

from tests.night.conftest import airflow_home, run_dag

__all__ = ["airflow_home", "run_dag"]


@pytest.fixture(scope="session", autouse=True)
def everything_is_logged() -> Iterator[None]:
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "DEBUG"
    logging.getLogger().setLevel(logging.DEBUG)
    yield
    logging.getLogger().setLevel(logging.WARNING)
    os.environ.pop("AIRFLOW__LOGGING__LOGGING_LEVEL", None)
