"""How a container begins: secrets held to the standard, files closed to others, then the service's own command."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from regulars.airflow_environment import ADMIN
from regulars.deployment.secret_files import check_secrets
from regulars.deployment.time_sync import check_clock, kernel_clock_state
from regulars.errors import ConfigurationError, TryAgain

AIRFLOW_SECRETS = ("fernet_key", "api_secret_key", "jwt_secret", "airflow_database_password")
"""What every part of Airflow needs; what else lies in its folder of secrets is checked too."""


def check(secrets: Path) -> None:
    """All secrets, the user and the clock: every other service waits for this.

    Raises:
        ConfigurationError: a secret is not fit for use, this is root, or the clock is not synchronised.
    """
    if os.getuid() == 0:
        raise ConfigurationError("the containers would run as root; name another user as REGULARS_UID and REGULARS_GID", file=".env")
    check_secrets(secrets)
    print(f"Secrets are in order; {check_clock(kernel_clock_state(), os.environ.get('REGULARS_UNSYNCHRONISED_CLOCK', 'refuse'))}.")


def start(secrets: Path, runtime: Path, command: list[str]) -> None:
    """Become the service's command. Its secrets reach it as files: none stands in its environment or its arguments.

    Raises:
        ConfigurationError: a secret is missing, empty, a default or open to others.
    """
    os.umask(0o077)
    check_secrets(secrets, AIRFLOW_SECRETS)
    logins = {"airflow": "airflow_database_password", "regulars": "warehouse_password"}
    given = {login: _read(secrets, name) for login, name in logins.items() if (secrets / name).exists()}
    _write(runtime / "pgpass", "".join(f"*:*:*:{login}:{password}\n" for login, password in given.items()))
    if (secrets / "admin_password").exists():
        # Airflow opens this file for writing, so that it cannot be the secret itself.
        _write(runtime / "passwords.json", json.dumps({ADMIN: _read(secrets, "admin_password")}))
    os.execvp(command[0], command)  # noqa: S606 - becoming the service is the point: signals reach it


def migrate() -> None:
    """Bring Airflow's database to this version and make the pools that the DAGs name.

    Raises:
        TryAgain: a command failed; its own words stand above.
    """
    from regulars.airflow_run import preparation_commands

    for command in preparation_commands(Path(tempfile.mkdtemp(prefix="pools-"))):
        if subprocess.run(command, check=False).returncode != 0:
            raise TryAgain(f"`{' '.join(command[1:])}` failed; see the lines above")


def _read(secrets: Path, name: str) -> str:
    return (secrets / name).read_text(encoding="utf-8").strip()


def _write(file: Path, text: str) -> None:
    """The file anew: a container that is started again still has the one of its last start."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
