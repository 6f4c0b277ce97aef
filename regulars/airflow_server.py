"""Airflow's api-server, scheduler, dag-processor and triggerer for a home, as one group of processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from regulars.airflow_environment import ADMIN, admin_password, airflow_environment
from regulars.airflow_run import prepare_airflow
from regulars.errors import ConfigurationError, RegularsError
from regulars.home import Home
from regulars.process import identity

START_SECONDS = 180.0
STOP_SECONDS = 30.0
HEALTHY_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def start(home: Home, port: int = 8080) -> None:
    """Start Airflow and wait until every part is healthy.

    Raises:
        ConfigurationError: the port is taken.
        RegularsError: Airflow ended, or was not healthy in time.
    """
    process_file = _process_file(home)
    address = f"http://127.0.0.1:{port}"
    if _group(process_file) is not None:
        print(f"Airflow is running already; `make down` ends it ({process_file.read_text().split()[1]})")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigurationError(f"port {port} on 127.0.0.1 is taken by another program; choose one with `make up PORT=8090`") from None
    prepare_airflow(home)
    password = admin_password(home)
    home.logs.mkdir(parents=True, exist_ok=True)
    log = home.logs / "airflow.log"
    print(f"Starting Airflow on {address} …", flush=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "airflow"), "standalone"],
            env=airflow_environment(home, port=port),
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    process_file.write_text(f"{identity(process.pid)} {address}")
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(address):
        if process.poll() is not None:
            raise RegularsError(f"Airflow ended while it started; see {log}")
        if time.monotonic() > deadline:
            stop(home)
            raise RegularsError(f"Airflow was not healthy within {START_SECONDS:.0f} s and was ended; see {log}")
        time.sleep(1)
    print(f"Airflow is up: {address}   user {ADMIN}, password {password}\nIt runs a night every day; `make down` ends it.")


def stop(home: Home) -> None:
    """End Airflow and all its children: asked first, killed after a while."""
    process_file = _process_file(home)
    group = _group(process_file)
    if group is None:
        print("Airflow is not running.")
        process_file.unlink(missing_ok=True)
        return
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        try:
            os.killpg(group, number)
            while time.monotonic() < deadline:
                os.killpg(group, 0)
                time.sleep(0.2)
        except ProcessLookupError:
            break
    process_file.unlink(missing_ok=True)
    print("Airflow has ended.")


def _process_file(home: Home) -> Path:
    return home.private_folder(home.var / "airflow") / "standalone.pid"


def _group(process_file: Path) -> int | None:
    """The process group that the file names, if any process of it is alive.

    After a restart of the machine another program may bear the number that stands in the file: it is left alone.
    """
    try:
        leader = process_file.read_text().split()[0]
        group = int(leader.split("@")[0])
        os.killpg(group, 0)
    except (FileNotFoundError, ValueError, IndexError, ProcessLookupError, PermissionError):
        return None
    # Without its leader a group keeps its number from being given again, so what is left of it is ours.
    return group if identity(group) in (leader, f"{group}@") else None


def _is_healthy(address: str) -> bool:
    try:
        answer = httpx.get(f"{address}/api/v2/monitor/health", timeout=5)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and all(answer.json().get(part, {}).get("status") == "healthy" for part in HEALTHY_PARTS)
