"""Run a DAG of a home from the command line through Airflow, and show its steps as they go."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from regulars.airflow_environment import airflow_environment
from regulars.api_pools import pools
from regulars.errors import RegularsError
from regulars.file_lock import FileLock
from regulars.home import Home
from regulars.progress import failure_file
from regulars.run import Kind

POLL_SECONDS = 0.1


class DagFailed(RegularsError):
    """A DAG run ended red. Its exit code is that of the step that failed."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def run_dag(home: Home, kind: Kind, as_of: date) -> None:
    """Run `retention_nightly`, `retention_training` or, for a rebuild, `retention_backfill` with `airflow dags test`.

    Raises:
        DagFailed: a step failed; the message is the step's own.
        TryAgain: another run was started from the command line and is at work.
    """
    with FileLock(home.private_folder(home.var) / "run.lock", purpose=f"the home {home.path}"):
        _run_dag(home, kind, as_of)


def _run_dag(home: Home, kind: Kind, as_of: date) -> None:
    dag = {"night": "retention_nightly", "training": "retention_training", "rebuild": "retention_backfill"}[kind]
    day = as_of.isoformat()
    configuration = {"from": day, "until": day} if kind == "rebuild" else {"as_of": day}
    prepare_airflow(home)
    home.logs.mkdir(parents=True, exist_ok=True)
    log, progress = home.logs / f"{dag}-{as_of}.log", home.logs / f"{dag}-{as_of}.progress"
    progress.write_text("")
    failure_file(progress).unlink(missing_ok=True)
    _say(f"{dag} as of {as_of}")
    command = [_airflow(), "dags", "test", dag, "--conf", json.dumps(configuration)]
    with log.open("wb") as stream:
        environment = airflow_environment(home) | {"REGULARS_PROGRESS": str(progress)}
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            _follow(progress, process)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode != 0:
        raise _failure(progress, log)


def prepare_airflow(home: Home) -> None:
    """Make Airflow's metadata database and the pools that the DAGs name, once per version of Airflow.

    Raises:
        RegularsError: Airflow refused; its words stand in a log.
    """
    marker = home.private_folder(home.var / "airflow") / "prepared"
    wanted = f"{importlib.metadata.version('apache-airflow')} {sorted(pools().items())}"
    if marker.exists() and marker.read_text() == wanted:
        return
    _say("Preparing Airflow's metadata database …")
    home.logs.mkdir(parents=True, exist_ok=True)
    log = home.logs / "airflow-preparation.log"
    with log.open("wb") as stream:
        for command in preparation_commands(marker.parent):
            done = subprocess.run(command, env=airflow_environment(home), stdout=stream, stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                raise RegularsError(f"Airflow's metadata database could not be made; see {log}")
    marker.write_text(wanted)


def preparation_commands(folder: Path) -> list[list[str]]:
    """What makes or upgrades the metadata database and the pools; each may run again. `folder` gets a file that they read."""
    file = folder / "pools.json"
    wanted = {name: {"slots": slots, "description": what, "include_deferred": False} for name, (slots, what) in pools().items()}
    file.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    return [[_airflow(), "db", "migrate"], [_airflow(), "pools", "import", str(file)]]


def _airflow() -> str:
    return str(Path(sys.executable).parent / "airflow")


def _follow(progress: Path, process: subprocess.Popen[bytes]) -> None:
    """Show the lines that the steps write, the start of a step only until it ends when a person watches."""
    is_watched, open_line = sys.stderr.isatty(), False
    with progress.open(encoding="utf-8") as lines:
        while True:
            is_running = process.poll() is None
            for line in lines:
                text, starts = line.rstrip("\n"), line.lstrip().startswith("▸")
                if not is_watched and starts:
                    continue
                sys.stderr.write(("\r\x1b[K" if open_line else "") + text + ("" if starts else "\n"))
                sys.stderr.flush()
                open_line = starts
            if not is_running:
                break
            time.sleep(POLL_SECONDS)
    if open_line:
        sys.stderr.write("\n")


def _failure(progress: Path, log: Path) -> DagFailed:
    file = failure_file(progress)
    if not file.exists():
        return DagFailed(f"Airflow ended the run before any step failed; see {log}", 1)
    failure = json.loads(file.read_text(encoding="utf-8"))
    return DagFailed(f"{failure['message']}\nThe whole log: {log}", failure["exit_code"])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
