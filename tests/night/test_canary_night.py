"""A night that fails in Airflow over a row of a customer: nothing of the row is in its logs, its database or what it hands on."""

from datetime import date
from pathlib import Path

import pytest

from regulars.home import Home
from regulars.run import resume_run
from regulars.warehouse import open_warehouse
from tests.night.conftest import RunDag
from tests.privacy.canaries import customer, places
from tests.privacy.canary_shop import CanaryShop

AS_OF = date(2026, 3, 1)


def test_a_red_night_in_airflow_shows_nothing(
    tmp_path: Path, airflow_home: Home, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = CanaryShop(tmp_path)
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)
    with open_warehouse(shop.home) as warehouse:
        warehouse.execute("create unique index one_city on private.customers (city)")
    file = shop.files / "customers.csv"
    file.write_text(file.read_text() + customer(1).replace("1,", "1001,", 1))
    assert run_dag("retention_nightly", AS_OF) == "failed"
    with resume_run(shop.home, "night", AS_OF).state.connection() as connection:
        steps = {row["step"]: row["summary"] for row in connection.execute("select * from steps").fetchall()}
    assert "ConstraintException at" in steps["land shop"]
    said = capfd.readouterr()
    shop.said += [said.out, said.err]
    assert shop.hits() == []
    assert places(airflow_home.path) == []
