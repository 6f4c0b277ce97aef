"""The dbt project as dbt has read it, kept between test processes: to read it takes as long as to build it several times."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regulars.dbt import PROJECT, project_hash
from regulars.dbt_process import WITHOUT_FILES
from regulars.file_lock import FileLock

KEPT = Path(__file__).resolve().parents[1] / ".pytest_cache" / "dbt"
FILE = "partial_parse.msgpack"
"""dbt's own; dbt holds it against the project's files before it believes it."""


def parsed_project() -> Any:
    """The project as dbt has read it, for builds on DuckDB in this process."""
    from dbt.cli.main import dbtRunner

    # The place of the warehouse is a part of what dbt compares: the profile's own default, for everybody.
    with tempfile.TemporaryDirectory() as folder, _environment(without="REGULARS_"):
        arguments = ["parse", "--quiet", *_places(folder), "--partial-parse-file-path", _kept()]
        return dbtRunner().invoke([*WITHOUT_FILES, *arguments]).result


def _kept() -> str:
    """Where dbt wrote what it had read, at the first call and again when anything in the project has changed."""
    folder = KEPT / f"{importlib.metadata.version('dbt-core')}-{project_hash()[:16]}"
    with FileLock(KEPT / "lock", purpose="dbt's parsing", wait_seconds=300):
        if not (folder / FILE).exists():
            for former in KEPT.glob("*-*"):
                shutil.rmtree(former)
            command = [sys.executable, "-m", "dbt.cli.main", *WITHOUT_FILES, "parse", "--quiet", *_places(str(folder))]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
    return str(folder / FILE)


def _places(folder: str) -> list[str]:
    return ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", folder, "--log-path", folder]


@contextmanager
def _environment(without: str) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.startswith(without):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
