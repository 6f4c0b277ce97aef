"""The dbt project as dbt has read it, kept between test processes: to read it takes as long as to build it several times."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

from regulars.dbt import PROJECT, project_hash
from regulars.file_lock import FileLock

KEPT = Path(__file__).resolve().parents[1] / ".pytest_cache" / "dbt"
FILE = "partial_parse.msgpack"
"""dbt's own; dbt holds it against the project's files before it believes it."""


def parsed_project(engine: str = "duckdb") -> Path:
    """What dbt wrote when it parsed the project for an engine; it does so at the first call, and again when anything has changed."""
    folder = KEPT / f"{engine}-{importlib.metadata.version('dbt-core')}-{project_hash()[:16]}"
    with FileLock(KEPT / f"{engine}.lock", purpose="dbt's parsing", wait_seconds=300):
        if not (folder / FILE).exists():
            for former in KEPT.glob(f"{engine}-*"):
                shutil.rmtree(former)
            command = [sys.executable, "-m", "dbt.cli.main", "parse", "--quiet", "--no-write-json", "--target-path", str(folder)]
            command += ["--log-path", str(folder), "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
            done = subprocess.run(command, env=os.environ | {"REGULARS_ENGINE": engine}, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
    return folder / FILE
