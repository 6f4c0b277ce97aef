"""Seconds and peak memory of a program and all that it starts, by the step that it is at."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import psutil

from regulars.errors import RegularsError
from regulars.home import Home

SECONDS_BETWEEN_LOOKS = 0.1
OTHERWISE = "start and between steps"


class RunFailed(RegularsError):
    """A program that was to be measured failed."""


@dataclass
class Measurement:
    """Wall-clock seconds, processor seconds, and the largest sum of the processes' own memory, in bytes, whole and by step."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int = 0
    step_seconds: dict[str, float] = field(default_factory=dict)
    step_peak_bytes: dict[str, int] = field(default_factory=dict)
    step_processor_seconds: dict[str, float] = field(default_factory=dict)
    """What the looks saw pass: a process that nobody waits for takes its last moments with it."""

    def look(self, process: psutil.Process, step: str) -> None:
        used, spent = _bytes_and_seconds(process)
        self.peak_bytes = max(self.peak_bytes, used)
        self.step_peak_bytes[step] = max(self.step_peak_bytes.get(step, 0), used)
        passed = max(spent - sum(self.step_processor_seconds.values()), 0.0)
        self.step_processor_seconds[step] = self.step_processor_seconds.get(step, 0.0) + passed


def measure(command: Sequence[str], environment: Mapping[str, str], step: Callable[[], str] = lambda: "") -> tuple[Measurement, str]:
    """Run a command to its end; what it took, and what it printed to standard output.

    Args:
        step: names the step that the command is at when it is asked.

    Raises:
        RunFailed: with what it printed last.
    """
    measured, before, begun = Measurement(), os.times(), monotonic()
    process = subprocess.Popen(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watched, is_over = psutil.Process(process.pid), threading.Event()

    def watch() -> None:
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            measured.look(watched, step())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        printed, complaints = process.communicate()
    finally:
        is_over.set()
        watcher.join()
    measured.seconds = monotonic() - begun
    after = os.times()
    measured.processor_seconds = after.children_user + after.children_system - before.children_user - before.children_system
    if process.returncode != 0:
        raise RunFailed(f"{' '.join(command)} ended with {process.returncode}:\n{complaints[-2000:]}")
    return measured, printed


def current_step(home: Home) -> Callable[[], str]:
    """Asks the home's state which step of a run is at work."""

    def ask() -> str:
        rows = _steps(home.state, "select step from steps where status = 'running'")
        return rows[0][0] if rows else OTHERWISE

    return ask


def step_seconds(home: Home, run_id: str) -> dict[str, float]:
    """Seconds of each step that a run has done, in their order."""
    rows = _steps(home.state, "select step, seconds from steps where run_id = ? order by rowid", [run_id])
    return {str(step): float(seconds) for step, seconds in rows}


def step_summaries(home: Home, run_id: str) -> dict[str, str]:
    """What each step that a run has done said of it."""
    rows = _steps(home.state, "select step, summary from steps where run_id = ? order by rowid", [run_id])
    return {str(step): str(summary or "") for step, summary in rows}


def _steps(file: Path, sql: str, parameters: Sequence[str] = ()) -> list[tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(sql, parameters).fetchall()
    except sqlite3.OperationalError:  # not made yet
        return []


def _bytes_and_seconds(process: psutil.Process) -> tuple[int, float]:
    """Resident memory of a process and all that it has started, but for pages of files, which the system takes back when it needs
    the room; and the processor seconds of these and of those that have ended."""
    used, spent = 0, 0.0
    try:
        for one in (process, *process.children(recursive=True)):
            try:
                with one.oneshot():
                    memory = one.memory_info()
                    used += memory.rss - getattr(memory, "shared", 0)
                    spent += sum(one.cpu_times()[:4])  # its own, and its children's that it has waited for
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        pass
    return used, spent
