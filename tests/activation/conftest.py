from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from activation_home import FOLDER, ActivationHome
from synced_home import MAILCHIMP

from tests.referees.mailchimp import Audience, Faults, Server, running


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture(autouse=True)
def no_progress(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the steps' lines go to."""
    file = tmp_path_factory.mktemp("progress") / "progress.txt"
    file.touch()
    monkeypatch.setenv("REGULARS_PROGRESS", str(file))
    return file


@pytest.fixture
def audience(monkeypatch: pytest.MonkeyPatch) -> Audience:
    audience = Audience()
    monkeypatch.setenv("MAILCHIMP_API_KEY", audience.api_key)
    return audience


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def server(audience: Audience, faults: Faults) -> Iterator[Server]:
    with running(audience, faults) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, server: Server) -> ActivationHome:
    """A home with a Mailchimp audience as its only destination."""
    return ActivationHome(tmp_path / "home", MAILCHIMP.format(url=server.url))


@pytest.fixture
def folder_shop(tmp_path: Path) -> ActivationHome:
    """A home with its own folder of lists as its only destination."""
    return ActivationHome(tmp_path / "home", FOLDER)
