"""dbt for tests that build often: a process that has imported it and read the project, and forks one that builds.

    python -m tests.warm_dbt DESCRIPTOR

`regulars.dbt` starts `python -m regulars.dbt_process …`; here the same arguments, environment and open files go to a fork of the
waiting process instead, which saves dbt's start. What is not a build of this project starts cold, as in a night.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regulars.dbt_process import run_dbt
from tests.parsed_project import parsed_project

PROJECT = Path(__file__).resolve().parents[1] / "dbt"
LONGEST_MESSAGE = 200_000


class WarmDbt:
    """Stands where `regulars.dbt` has the module `subprocess`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        environment = options["env"]
        is_ours = options["cwd"] == PROJECT and environment["PYTHONPATH"].startswith(str(PROJECT.parent))
        if not is_ours:
            return subprocess.run(command, **options)  # noqa: PLW1510 - the caller has said it
        order = {"arguments": command[command.index("regulars.dbt_process") + 1 :], "environment": environment}
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            channel = self._started()
            socket.send_fds(channel, [json.dumps(order).encode()], [out.fileno(), err.fileno(), *options["pass_fds"]])
            answer = channel.recv(LONGEST_MESSAGE)
            assert answer, "the process that builds with dbt has died"
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(command, int(answer), out.read(), err.read())

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, "-m", "tests.warm_dbt", str(theirs.fileno())]
                self._process = subprocess.Popen(command, cwd=PROJECT.parent, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL)
        return self._socket

    def end(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(timeout=60)


def main(descriptor: int) -> None:
    manifest = parsed_project()
    with socket.socket(fileno=descriptor) as channel:
        gc.freeze()  # what the forks share stays shared
        while True:
            message, received, _, _ = socket.recv_fds(channel, LONGEST_MESSAGE, 8)
            if not message:
                return
            process = os.fork()
            if process == 0:
                channel.close()
                _build(json.loads(message), received, manifest)
            for each in received:
                os.close(each)
            _, status = os.waitpid(process, 0)
            channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _build(order: dict[str, Any], received: Sequence[int], manifest: Any) -> None:
    code = 1
    try:
        os.dup2(received[0], 1)
        os.dup2(received[1], 2)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(PROJECT)
        is_duckdb = os.environ["REGULARS_ENGINE"] == "duckdb"  # for a server dbt reads the project itself, with the database's name
        code = run_dbt(order["arguments"], manifest if is_duckdb else None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
