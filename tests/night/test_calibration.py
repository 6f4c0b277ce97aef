"""The sample shop's predictions against its simulated truth; `make campaign` does it with 20,000 people and the shipped cutoffs."""

import pytest

from regulars.home import Home
from tests.campaigns.calibration import calibration
from tests.night.conftest import CUSTOMERS, FIRST_NIGHT


def test_the_first_nights_predictions_are_those_of_the_truth(finished_home: Home) -> None:
    found = calibration(finished_home, FIRST_NIGHT, CUSTOMERS)
    assert found.customers > 3_800
    assert [failure for failure in found.failures() if "_bias" not in failure] == []
    # A fifth of the people and a third of the cutoffs tell less of the level of a year.
    assert found.value_bias == pytest.approx(1.0, abs=0.15)
    assert found.orders_bias == pytest.approx(1.0, abs=0.15)
