from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quality.gate import check_features, check_raw, check_scores
from regulars.home import Home
from regulars.warehouse import Warehouse
from tests.quality.gate_shop import LONG_AGO, TONIGHT, build_shop, nights_until, spoilable

CUSTOMERS = 5_000


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three nights; the gates have let the first two pass."""
    home = build_shop(tmp_path_factory.mktemp("shop"), CUSTOMERS, 3, LONG_AGO)
    for night in nights_until(TONIGHT, 3)[:2]:
        check_raw(home, night)
        check_features(home, night)
        check_scores(home, night)
    return home


@pytest.fixture(scope="session")
def spoiled_warehouse(built_shop: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    copy = tmp_path_factory.mktemp("spoiled") / "home"
    shutil.copytree(built_shop.path, copy)
    with spoilable(Home.at(copy)) as warehouse:
        yield warehouse


@pytest.fixture
def shop(built_shop: Home, tmp_path: Path) -> Home:
    """A copy of one's own."""
    shutil.copytree(built_shop.path, tmp_path / "home")
    return Home.at(tmp_path / "home")
