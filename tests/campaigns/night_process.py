"""Nights in processes that may be killed: the stages' real functions, in the DAG's order, and dbt in a process of its own.

    python -m tests.campaigns.night_process

imports everything once, then reads one order a line (JSON, see `Order`), forks a process group for it, and answers with the
process's number and, when it has ended, with its status. So a night costs what its stages do, and not what Python's imports do:
what the first night had to import late is imported here before the second one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from activation.approval import decide
from activation.destination import destination_names
from activation.sync import plan_destination, push_destination
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.source import source_names
from quality.gate import check_features, check_raw, check_scores
from regulars import dbt, features
from regulars.dbt_process import run_dbt
from regulars.errors import GuardStopped
from regulars.home import Home
from regulars.run import finish_run, open_run
from regulars.state import State
from reporting.report import write_report
from scoring.match import match
from scoring.score import score
from tests.parsed_project import parsed_project

Step = tuple[str, Callable[[], Any]]


@dataclass(frozen=True)
class Order:
    """One night to run: the process kills its group by itself before the step of number `dies_before`, if it is given."""

    home: str
    as_of: str
    environment: dict[str, str]
    dies_before: int | None = None
    approves: bool = False


def steps(home: Home, as_of: date) -> list[Step]:
    """What a night does, by the names that its steps bear; the first opens the run."""
    sources, destinations = source_names(home), destination_names(home)
    return [
        ("open", lambda: open_run(home, "night", as_of)),
        *((f"extract {name}", lambda name=name: extract_source(home, name, as_of, "night")) for name in sources),
        *((f"land {name}", lambda name=name: land_source(home, name, as_of, "night")) for name in sources),
        ("build staging", lambda: features.build_staging(home, as_of)),
        ("check raw", lambda: check_raw(home, as_of, "night")),
        ("build features", lambda: features.build_features(home, as_of)),
        ("check features", lambda: check_features(home, as_of, "night")),
        ("score", lambda: score(home, as_of)),
        ("check scores", lambda: check_scores(home, as_of, "night")),
        ("match segments", lambda: match(home, as_of)),
        *((f"plan {name}", lambda name=name: plan_destination(home, as_of, "night", name)) for name in destinations),
        *((f"push {name}", lambda name=name: push_destination(home, as_of, "night", name)) for name in destinations),
        ("write report", lambda: write_report(home, as_of, "night")),
        ("publish", lambda: finish_run(home, as_of, "night")),
    ]


class Nights:
    """The process that makes nights, seen from the one that kills them."""

    def __enter__(self) -> Nights:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.night_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self._read() == "ready"
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, order: Order) -> int:
        """Start the night; the number of its process group."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def status(self) -> int:
        """Exit code of the night that was started last, once it has ended; -9 when it was killed."""
        return int(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that makes nights has died"
        return line.strip()


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever dbt prints is no answer
    manifest = parsed_project()
    with os.fdopen(answers, "w", buffering=1) as stream:
        print("ready", file=stream)
        for line in sys.stdin:
            reader, writer = os.pipe()
            process = os.fork()
            if process == 0:
                os.close(reader)
                _night(Order(**json.loads(line)), manifest, writer)
            os.close(writer)
            print(process, file=stream)
            with os.fdopen(reader) as imported:
                modules = imported.read().split()
            _, status = os.waitpid(process, 0)
            for module in modules:
                with suppress(Exception):
                    import_module(module)
            print(os.waitstatus_to_exitcode(status), file=stream)


def _night(order: Order, manifest: Any, imported: int) -> None:
    os.setsid()
    home = Home.at(Path(order.home))
    home.private_folder(home.logs)
    log = os.open(home.logs / "night.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order.environment)
    dbt.subprocess = SimpleNamespace(run=lambda command, **options: _forked_dbt(command, options, manifest))  # type: ignore[assignment]
    code, before = 1, set(sys.modules)
    try:
        for number, (_, work) in enumerate([*steps(home, date.fromisoformat(order.as_of)), ("end", lambda: None)]):
            if number == order.dies_before:
                os.killpg(0, signal.SIGKILL)
            _with_approval(home, work) if order.approves else work()
        os.write(imported, " ".join(sorted(sys.modules.keys() - before)).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _with_approval(home: Home, work: Callable[[], Any]) -> None:
    try:
        work()
    except GuardStopped:
        with State(home.state).connection() as connection:
            waiting = connection.execute("select plan_sha256 from plans where status = 'stopped'").fetchone()
        decide(home, waiting["plan_sha256"], "approved", "the campaign")
        work()


def _forked_dbt(command: list[str], options: dict[str, Any], manifest: Any) -> SimpleNamespace:
    """What `subprocess.run` would do with dbt's command, without its imports and its parsing."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.environ.update(options["env"])
            os.chdir(options["cwd"])
            code = run_dbt(command[command.index("regulars.dbt_process") + 1 :], manifest)
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return SimpleNamespace(returncode=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
