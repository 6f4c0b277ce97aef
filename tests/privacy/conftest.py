"""Everything here runs with logging turned up as far as it goes."""

import logging
from collections.abc import Iterator

import pytest

from tests.privacy.canary_shop import CanaryShop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryShop]:
    shop = CanaryShop(tmp_path_factory.mktemp("shop"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shop.environment.items():
            patch.setenv(name, value)
        logging.getLogger().setLevel(logging.DEBUG)
        yield shop
    logging.getLogger().setLevel(logging.WARNING)
