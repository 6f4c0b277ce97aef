"""Airflow's own settings for a home, as environment variables: metadata in the home, no telemetry, no examples."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from regulars.home import Home

DAGS = Path(__file__).resolve().parent.parent / "dags"
ADMIN = "admin"

NO_TELEMETRY = {
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "1",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
}

SETTINGS = {
    **NO_TELEMETRY,
    # Turned up further, Airflow writes down the very secrets that it was told to mask.
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__API__EXPOSE_CONFIG": "False",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
}
"""What Airflow is told wherever it runs; a test holds docker-compose.yml to it."""


def airflow_environment(home: Home, *, port: int = 8080) -> dict[str, str]:
    """Environment of every Airflow process of the home; makes its secrets (0600) at first sight."""
    folder = home.private_folder(home.var / "airflow")
    return {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")},
        **SETTINGS,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(DAGS.parent),
        "REGULARS_HOME": str(home.path),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__FERNET_KEY": _secret(folder / "fernet.key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__SECRET_KEY": _secret(folder / "api.key", lambda: secrets.token_urlsafe(32)),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(folder / "jwt.key", lambda: secrets.token_urlsafe(64)),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "airflow"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home.logs / "airflow" / "dag_processor"),
    }


def admin_password(home: Home) -> str:
    """The generated password of the user `admin`, kept in a file that only the owner reads."""
    file = home.private_folder(home.var / "airflow") / "passwords.json"
    if not file.exists():
        _write_private(file, json.dumps({ADMIN: secrets.token_urlsafe(12)}))
    return str(json.loads(file.read_text(encoding="utf-8"))[ADMIN])


def _secret(file: Path, make: Callable[[], str]) -> str:
    if not file.exists():
        _write_private(file, make())
    return file.read_text(encoding="utf-8")


def _write_private(file: Path, text: str) -> None:
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)
