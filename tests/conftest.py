"""What all tests share: no telemetry, a home in a temporary folder, the shared real orders where they are."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from regulars.airflow_environment import NO_TELEMETRY

ROOT = Path(__file__).resolve().parents[1]
os.environ.update(NO_TELEMETRY)
# The machine may be busy: a slow example is no failure. Derandomised, so that a red test is red again.
settings.register_profile("regulars", deadline=None, derandomize=True)
settings.load_profile("regulars")


@pytest.fixture
def real_orders() -> Path:
    """The folder of public order data; not a part of the repository."""
    folder = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "online_retail_II.csv.gz").exists():
        pytest.skip("needs online_retail_II.csv.gz and cdnow.csv.gz in the folder that REGULARS_DATA names")
    return folder
