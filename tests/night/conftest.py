"""Whole nights through the real DAGs, in this process: Airflow's start is paid once."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from regulars.airflow_environment import airflow_environment
from regulars.airflow_run import prepare_airflow
from regulars.home import Home
from regulars.sample_shop_home import export_sample_shop

ROOT = Path(__file__).resolve().parents[2]
FIRST_NIGHT, SECOND_NIGHT = date(2025, 6, 30), date(2025, 7, 1)
CUSTOMERS = 4_000

RunDag = Callable[[str, date], str]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Airflow's metadata for this process; which home a DAG works for is told by REGULARS_HOME at each run."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "config").mkdir()
    home = Home.at(folder)
    prepare_airflow(home)
    before = dict(os.environ)
    os.environ.update(airflow_environment(home))
    yield home
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def dags(airflow_home: Home) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "dags", bundle_name="dags-folder")
    assert not bag.import_errors
    return dict(bag.dags)


@pytest.fixture(scope="session")
def run_dag(dags: dict[str, Any]) -> RunDag:
    """Run a DAG for the home that REGULARS_HOME names, the backfill for one day; the state of the run."""

    def run(dag_id: str, as_of: date) -> str:
        day = as_of.isoformat()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Airflow's own; our stages are held to theirs in their own tests
            dag_run: Any = dags[dag_id].test(run_conf={"from": day, "until": day} if dag_id == "retention_backfill" else {"as_of": day})
        return str(dag_run.state)

    return run


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory, run_dag: RunDag) -> Home:
    """The sample shop after a training and its first night."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(ROOT / "config", folder / "config")
    prediction = folder / "config" / "prediction.yml"
    content = yaml.safe_load(prediction.read_text())
    content["training"] |= {"cutoffs_count": 6, "cutoff_step_days": 56}
    prediction.write_text(yaml.safe_dump(content))
    home = Home.at(folder)
    export_sample_shop(home, FIRST_NIGHT, CUSTOMERS)
    os.environ["REGULARS_HOME"] = str(home.path)
    assert run_dag("retention_training", FIRST_NIGHT) == "success"
    assert run_dag("retention_nightly", FIRST_NIGHT) == "success"
    return home


@pytest.fixture
def home(tmp_path: Path, finished_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of the shop after its first night, free to be spoiled."""
    copy = tmp_path / "home"
    shutil.copytree(finished_home.path, copy, symlinks=True)
    monkeypatch.setenv("REGULARS_HOME", str(copy))
    return Home.at(copy)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
