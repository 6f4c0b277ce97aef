import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from regulars.airflow_run import run_dag
from regulars.airflow_server import stop
from regulars.errors import GateFailed, TryAgain, Unforeseen
from regulars.file_lock import FileLock
from regulars.home import Home
from regulars.process import identity, is_gone
from regulars.run import close_run, open_run, resume_run, step

ROOT = Path(__file__).resolve().parents[2]
MONDAY, TUESDAY = date(2025, 6, 30), date(2025, 7, 1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return Home.at(tmp_path)


@pytest.fixture
def night_at_work(home: Home) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a step of Monday's night."""
    program = (
        "import sys, time; from datetime import date; from pathlib import Path\n"
        "from regulars.home import Home; from regulars.run import step\n"
        f"with step(Home.at(Path({str(home.path)!r})), 'some work', 'night', date(2025, 6, 30)) as run:\n"
        "    print(run.run_id, run.known_at, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.first_line = process.stdout.readline()  # type: ignore[attr-defined]
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("as_of", [MONDAY, TUESDAY])
def test_a_second_night_is_refused_while_one_runs(home: Home, night_at_work: subprocess.Popen[str], as_of: date) -> None:
    with pytest.raises(TryAgain, match=f"night for 2025-06-30 is running .*process {night_at_work.pid}") as refused:
        open_run(home, "night", as_of)
    assert refused.value.exit_code == 75


def test_a_killed_night_is_resumed_as_it_was(home: Home, night_at_work: subprocess.Popen[str]) -> None:
    os.kill(night_at_work.pid, signal.SIGKILL)
    night_at_work.wait()
    run = open_run(home, "night", MONDAY)
    assert f"{run.run_id} {run.known_at}\n" == night_at_work.first_line  # type: ignore[attr-defined]


def test_a_killed_night_does_not_block_the_next(home: Home, night_at_work: subprocess.Popen[str]) -> None:
    os.kill(night_at_work.pid, signal.SIGKILL)
    night_at_work.wait()
    assert open_run(home, "night", TUESDAY).as_of == TUESDAY


def test_a_run_that_was_overtaken_does_not_end_well(home: Home) -> None:
    with pytest.raises(TryAgain, match="overtaken"), step(home, "slow work", "night", MONDAY):
        open_run(home, "night", TUESDAY)


def test_a_failed_step_keeps_its_reason_and_exit_code(home: Home) -> None:
    with pytest.raises(GateFailed), step(home, "gate", "night", MONDAY):
        raise GateFailed("0 rows")
    run = resume_run(home, "night", MONDAY)
    with run.state.connection() as connection:
        row = connection.execute("select * from steps").fetchone()
    assert (row["status"], row["summary"], row["exit_code"]) == ("failed", "0 rows", 3)


def test_a_foreign_error_is_recorded_without_its_text(home: Home) -> None:
    with pytest.raises(Unforeseen, match=r"ValueError at test_run.py") as failure, step(home, "load", "night", MONDAY):
        raise ValueError("anna@example.com is odd")
    assert "anna" not in "".join(traceback.format_exception(failure.value)).replace('raise ValueError("anna@example.com is odd")', "")
    run = resume_run(home, "night", MONDAY)
    with run.state.connection() as connection:
        summary = connection.execute("select summary from steps").fetchone()["summary"]
    assert "anna" not in summary
    assert "test_run.py" in summary


def test_a_night_done_again_is_a_run_of_its_own(home: Home) -> None:
    first = open_run(home, "night", MONDAY)
    close_run(first)
    assert open_run(home, "night", MONDAY).run_id != first.run_id


def test_a_night_started_beside_another_leaves_its_log_alone(home: Home) -> None:
    home.logs.mkdir(parents=True)
    log = home.logs / f"retention_nightly-{MONDAY}.log"
    log.write_text("of the night at work")
    with FileLock(home.var / "run.lock", purpose="the home"), pytest.raises(TryAgain, match="in use by process"):
        run_dag(home, "night", MONDAY)
    assert log.read_text() == "of the night at work"


def test_airflow_is_ended_and_a_stranger_with_its_number_is_not(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    file = home.private_folder(home.var / "airflow") / "standalone.pid"
    # Nobody's child, so that its end shows at once.
    shell = subprocess.run(["bash", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True)
    other = int(shell.stdout)
    while os.getpgid(other) != other:  # until it has a session of its own
        time.sleep(0.01)
    file.write_text(f"{other}@12345 http://127.0.0.1:8080")
    stop(home)
    running = identity(other)
    assert not is_gone(running)
    file.write_text(f"{running} http://127.0.0.1:8080")
    stop(home)
    assert is_gone(running)
    assert capsys.readouterr().out.splitlines() == ["Airflow is not running.", "Airflow has ended."]


def test_dbt_holds_the_warehouse_when_the_process_that_started_it_has_died(home: Home, tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; from pathlib import Path; from regulars.file_lock import FileLock\n"
        f"with FileLock(Path({str(tmp_path / 'lock')!r}), purpose='it') as lock:\n"
        "    child = subprocess.Popen(['sleep', '60'], pass_fds=[lock.descriptor]); print(child.pid, flush=True); child.wait()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    orphan = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    with pytest.raises(TryAgain, match="in use"):
        FileLock(tmp_path / "lock", purpose="it").acquire()
    os.kill(orphan, signal.SIGKILL)
    FileLock(tmp_path / "lock", purpose="it", wait_seconds=5).acquire()
