"""Rows in flight: what memory does not hold stands in files that nobody else sees and that do not outlive the work."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from regulars.home import Home
from regulars.warehouse.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
SPILLS = """
from regulars.home import Home
from regulars.warehouse.workspace import Workspace
with Workspace(Home.from_environment(), "lists") as workspace, workspace.database() as database:
    database.execute("set memory_limit = '60MB'")
    database.execute("create table spilt as select md5(range::varchar) || md5((-range)::varchar) as x from range(2000000)")
    {}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yml").touch()
    return Home.at(tmp_path)


def in_a_process(home: Home, at_last: str) -> int:
    program = SPILLS.format(at_last)
    return subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"REGULARS_HOME": str(home.path)}, cwd=ROOT, check=False
    ).returncode


def test_what_does_not_fit_is_spilt_into_the_home_and_vanishes_with_the_work(home: Home) -> None:
    assert in_a_process(home, "assert list((Home.from_environment().var / 'in_flight' / 'lists').iterdir())") == 0
    assert list((home.var / "in_flight").iterdir()) == []


def test_what_a_killed_process_spilt_is_gone_when_the_work_begins_again(home: Home) -> None:
    assert in_a_process(home, "import os; os.kill(os.getpid(), 9)") == -9
    spilt = home.var / "in_flight" / "lists"
    assert list(spilt.iterdir())
    with Workspace(home, "lists"):
        assert list(spilt.iterdir()) == []


@pytest.mark.parametrize("count", [0, 1, 250_000])
def test_a_table_holds_what_was_read_and_its_file_bears_no_name(home: Home, count: int) -> None:
    rows = pa.table(
        {
            "id": pa.array(map(str, range(count)), pa.string()),
            "value": pa.array([None, 1.5] * (count // 2) + [2.0] * (count % 2), pa.float64()),
        }
    )
    before = pa.total_allocated_bytes()
    with Workspace(home, "lists") as workspace:
        table = workspace.table(rows.to_reader(max_chunksize=10_000))
        assert list((home.var / "in_flight" / "lists").iterdir()) == []
    assert table.equals(rows)
    assert pa.total_allocated_bytes() - before < 1_000_000, "its columns are no memory of ours"


def test_a_home_s_files_in_flight_are_its_owner_s_alone(home: Home) -> None:
    with Workspace(home, "lists"):
        assert {path.stat().st_mode & 0o777 for path in (home.var / "in_flight", home.var / "in_flight" / "lists")} == {0o700}
