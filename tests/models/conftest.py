"""A shop that is trained once for all tests of a session; tests that change it take a copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import boosting
from models.arithmetic import on_one_thread
from models.train import train
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, fill, write_configuration


@pytest.fixture(scope="session", autouse=True)
def few_rounds() -> Iterator[None]:
    """Models learn in larger steps here, which takes a third of the rounds; nights and campaigns take the small ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "LEARNING_RATE", 0.3)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As a training has it: threads that wait for each other over small matrices cost ten times what they do."""
    with on_one_thread():
        yield


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = write_configuration(tmp_path_factory.mktemp("trained"))
    fill(home, customers=400)
    train(home, AS_OF)
    return home


@pytest.fixture
def own_trained_shop(trained_shop: Home, tmp_path: Path) -> Home:
    shutil.copytree(trained_shop.path, tmp_path / "shop")
    return Home.at(tmp_path / "shop")
