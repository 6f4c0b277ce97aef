"""A shop that is trained once for all tests of scoring; who spoils it, mends it."""

import pytest

from models import boosting
from models.train import train
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, fill, write_configuration


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = write_configuration(tmp_path_factory.mktemp("scored"), cutoffs_count=4)
    fill(home, customers=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "LEARNING_RATE", 0.3)  # as in tests/models
        train(home, AS_OF)
    return home
