"""A damaged warehouse comes back by itself, as it was when it was whole, and the state is never rewound."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from regulars.errors import InputError, RegularsError, TryAgain
from regulars.home import Home
from regulars.rebuilds import rebuilt_night
from regulars.run import close_run, finish_run, open_run, resume_run, step
from regulars.state import State
from regulars.warehouse import WarehouseRestored, open_warehouse
from regulars.warehouse.duckdb import connect

ROOT = Path(__file__).resolve().parents[2]
MONDAY, TUESDAY = date(2025, 6, 30), date(2025, 7, 1)
EXCLUDED = "select count(*) from control.exclusions"
STAGE = """
import os, sys
from regulars.home import Home
from regulars.warehouse import open_warehouse
with open_warehouse(Home.from_environment()) as warehouse:
    for number in range(20):
        with warehouse.transaction():
            warehouse.execute("insert into control.exclusions select 'r', 's', 't', md5(range::varchar), ? from range(100)", [number])
    os.kill(os.getpid(), 9)
"""


def _add_rows(home: Home, count: int) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute(f"insert into control.exclusions select 'r', 's', 't', md5(range::varchar), 1 from range({count})")


def _rows_count(home: Home) -> int:
    with open_warehouse(home) as warehouse:
        return int(warehouse.rows(EXCLUDED)[0][0])


def _log(home: Home) -> Path:
    return home.warehouse.with_name("warehouse.duckdb.wal")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose Monday is done, with 1,000 rows in its warehouse, and that is about to begin Tuesday."""
    shutil.copytree(ROOT / "config", tmp_path / "home" / "config")
    monkeypatch.setenv("REGULARS_HOME", str(tmp_path / "home"))
    home = Home.at(tmp_path / "home")
    open_run(home, "night", MONDAY)
    _add_rows(home, 1_000)
    with State(home.state).transaction() as connection:
        connection.execute("insert into sent_nights values ('lists', '2025-06-30', 'x')")
    finish_run(home, MONDAY, "night")
    return home


@pytest.fixture
def killed_home(home: Home) -> Home:
    """Tuesday's night died in a stage that had committed 20 times."""
    open_run(home, "night", TUESDAY)
    subprocess.run([sys.executable, "-c", STAGE], cwd=ROOT, check=False)
    assert _log(home).stat().st_size > 10_000
    return home


def _flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << position % 8
    file.write_bytes(content)


def test_a_damaged_log_costs_no_more_than_the_step_that_was_killed(killed_home: Home, tmp_path: Path) -> None:
    size = _log(killed_home).stat().st_size
    chance = random.Random(7)  # noqa: S311 - no secret depends on it
    damage = [(_flip, chance.randrange(size)) for _ in range(30)] + [(os.truncate, chance.randrange(size)) for _ in range(10)]
    put_aside = 0
    for number, (spoil, position) in enumerate(damage):
        shutil.copytree(killed_home.path, tmp_path / str(number))
        home = Home.at(tmp_path / str(number))
        spoil(_log(home), position)
        found = _rows_count(home)
        assert 1_000 <= found <= 3_000
        assert found % 100 == 0
        put_aside += home.damaged.exists()
        assert resume_run(home, "night", TUESDAY).run_id == "night-2025-07-01-1"
        shutil.rmtree(home.path)
    assert put_aside > 25


HEADER = 3 * 4096


@pytest.mark.parametrize(
    "spoil",
    [
        *(pytest.param(lambda file, at=at: _flip(file, at), id=f"bit in byte {at}") for at in (0, 8, 12, 60, 4100, 8200)),
        pytest.param(lambda file: [_flip(file, at) for at in range(HEADER, file.stat().st_size, 4096)], id="rotten"),
        *(pytest.param(lambda file, to=to: os.truncate(file, to), id=f"cut to {to} bytes") for to in (0, 5, 4096, HEADER)),
        pytest.param(Path.unlink, id="gone"),
    ],
)
def test_a_damaged_file_is_replaced_by_the_snapshot_and_the_night_begins_anew(home: Home, spoil: Callable[[Path], None]) -> None:
    opened = open_run(home, "night", TUESDAY)
    _add_rows(home, 500)
    spoil(home.warehouse)
    with pytest.raises(WarehouseRestored, match="as it was published last"):
        _rows_count(home)
    # What comes next in the night must not go on with what the day before has left.
    with pytest.raises(WarehouseRestored, match="what night-2025-07-01-1 had done is lost"), step(home, "score", "night", TUESDAY):
        pass
    again = open_run(home, "night", TUESDAY)
    assert (again.run_id, again.known_at) == (opened.run_id, opened.known_at)
    assert _rows_count(home) == 1_000
    with again.state.connection() as connection:
        assert [tuple(row) for row in connection.execute("select * from sent_nights")] == [("lists", "2025-06-30", "x")]


def test_a_rebuild_that_met_a_damaged_file_is_run_again(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("insert into control.nights (as_of_date, known_until, run_id, config_hash) values (?, ?, 'r', 'x')", [MONDAY] * 2)
    finish_run(home, MONDAY, "night")
    close_run(open_run(home, "rebuild", MONDAY))
    open_run(home, "rebuild", MONDAY)
    os.truncate(home.warehouse, 100)
    with pytest.raises(WarehouseRestored, match="as it was published last"):
        _rows_count(home)
    with pytest.raises(InputError, match="the configuration of that night"), rebuilt_night(home, MONDAY):
        pass


def test_a_night_that_begins_with_a_damaged_file_is_not_stopped_by_it(home: Home) -> None:
    os.truncate(home.warehouse, 100)
    open_run(home, "night", TUESDAY)
    assert _rows_count(home) == 1_000
    assert (home.damaged / "1" / "warehouse.duckdb").stat().st_size == 100


def test_a_rotten_block_is_found_when_it_is_read(home: Home) -> None:
    with connect(home.warehouse) as database:
        database.execute("create table control.big as select range as number, md5(range::varchar) as text from range(300000)")
    finish_run(home, TUESDAY, "night")
    whole = home.warehouse.stat().st_size
    for position in range(HEADER + 300_000, whole, 100_000):
        _flip(home.warehouse, position)
    with pytest.raises(WarehouseRestored), open_warehouse(home) as warehouse:
        warehouse.rows("select count(distinct text) from control.big")
    with open_warehouse(home) as warehouse:
        assert warehouse.rows("select count(distinct text) from control.big") == [(300_000,)]


def test_without_a_snapshot_nothing_is_thrown_away(home: Home) -> None:
    home.warehouse_snapshot.unlink()
    os.truncate(home.warehouse, 4096)
    with pytest.raises(RegularsError, match="Put a backup there"):
        open_run(home, "night", TUESDAY)
    assert home.warehouse.stat().st_size == 4096


def test_a_home_without_a_finished_run_begins_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    home = Home.at(tmp_path)
    open_run(home, "night", MONDAY)
    os.truncate(home.warehouse, 0)
    assert open_run(home, "night", MONDAY).run_id == "night-2025-06-30-1"
    assert _rows_count(home) == 0


def test_the_last_damaged_files_are_kept(home: Home) -> None:
    for size in range(5):
        os.truncate(home.warehouse, size)
        open_run(home, "night", TUESDAY)
    assert {folder.name: (folder / "warehouse.duckdb").stat().st_size for folder in home.damaged.iterdir()} == {"3": 2, "4": 3, "5": 4}


def test_another_program_that_has_the_file_open_is_no_damage(home: Home) -> None:
    program = f"import duckdb, time; c = duckdb.connect({str(home.warehouse)!r}); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(TryAgain, match=r"another program has .* open"):
            _rows_count(home)
        other.kill()
    assert not home.damaged.exists()


SPILLS = """
import os
from regulars.home import Home
from regulars.warehouse import open_warehouse
home = Home.from_environment()
with open_warehouse(home) as warehouse:
    warehouse.execute("set memory_limit = '60MB'")
    warehouse.execute("create temporary table spilt as select md5(range::varchar) || md5((-range)::varchar) as x from range(2000000)")
    assert list((home.var / "spill").iterdir())
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_spilt_is_gone_at_the_next_opening(home: Home) -> None:
    spilt = home.var / "spill"
    process = subprocess.run([sys.executable, "-c", SPILLS], env=os.environ | {"REGULARS_HOME": str(home.path)}, cwd=ROOT, check=False)
    assert process.returncode == -9
    assert list(spilt.iterdir())
    with open_warehouse(home):
        assert not spilt.exists()
