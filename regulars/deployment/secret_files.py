"""The secrets of a deployment: one file each, made once, readable by their owner alone, held to a standard at every start."""

from __future__ import annotations

import base64
import binascii
import configparser
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from regulars.errors import ConfigurationError

SECRET_MODE = 0o400
FOLDER_MODE = 0o700
MAKE = "make secrets"
SHORTEST = 16
DEFAULTS = frozenset(
    (
        "admin",
        "airflow",
        "changeme",
        "changeit",
        "default",
        "example",
        "guest",
        "minioadmin",
        "password",
        "postgres",
        "regulars",
        "replaceme",
        "root",
        "secret",
        "test",
    )
)
"""Words that somebody may have left standing; a secret made of nothing but these, however often repeated, is refused."""


@dataclass(frozen=True)
class Secret:
    """One file below `secrets/`: its name, what it is for, and what is wrong with a text that stands in it."""

    name: str
    purpose: str
    problem: Callable[[str], str | None]


def _weakness(text: str) -> str | None:
    if not text.strip():
        return "is empty"
    plain = "".join(letter for letter in text.lower() if letter.isalpha())
    for word in sorted(DEFAULTS, key=len, reverse=True):
        plain = plain.replace(word, "")
    if not plain:
        return "holds a default value"
    return f"is shorter than {SHORTEST} characters" if len(text.strip()) < SHORTEST else None


def _fernet_problem(text: str) -> str | None:
    try:
        key = base64.urlsafe_b64decode(text.strip())
    except (binascii.Error, ValueError):
        return _weakness(text) or "is no Fernet key (32 bytes in URL-safe base64)"
    if len(key) == 32 and len(set(key)) > 8:
        return None
    return _weakness(text) or "is no Fernet key (32 random bytes in URL-safe base64)"


def _client_key_problem(text: str) -> str | None:
    settings = configparser.ConfigParser()
    try:
        settings.read_string(text)
        return _weakness(settings["default"]["aws_secret_access_key"])
    except (configparser.Error, KeyError):
        return _weakness(text) or "holds no aws_secret_access_key of [default]"


def _store_key_problem(text: str) -> str | None:
    try:
        keys = [pair["secretKey"] for identity in json.loads(text)["identities"] for pair in identity["credentials"]]
    except (ValueError, KeyError, TypeError):
        return _weakness(text) or "holds no identities"
    if len(keys) == 0:
        return "holds no key, so that the store would let everybody in"
    return next((problem for key in keys if (problem := _weakness(key))), None)


SECRETS = (
    Secret("fernet_key", "encrypts the connections in Airflow's database", _fernet_problem),
    Secret("api_secret_key", "signs the sessions of Airflow's pages", _weakness),
    Secret("jwt_secret", "signs the tokens between Airflow's parts", _weakness),
    Secret("admin_password", "password of the user admin on Airflow's pages", _weakness),
    Secret("postgres_password", "password of the database's superuser", _weakness),
    Secret("airflow_database_password", "password of the role airflow in the database", _weakness),
    Secret("warehouse_password", "password of the shop's login in the warehouse on Postgres", _weakness),
    Secret("s3_credentials", "key of the object store, as its clients read it", _client_key_problem),
    Secret("s3_identities.json", "the same key, as the object store reads it", _store_key_problem),
)


def write_secrets(folder: Path, owner: tuple[int, int] | None = None) -> None:
    """Make every secret; `owner` is who reads them in the containers, when it is not this process.

    Raises:
        ConfigurationError: one exists already; none is overwritten, since a database and a store were made with it.
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    standing = [secret.name for secret in SECRETS if (folder / secret.name).exists()]
    if standing:
        raise ConfigurationError(
            f"secrets stand here already ({', '.join(standing)}) and are never overwritten: what was encrypted or signed with them "
            "would be lost. To make all of them anew, move the folder away first",
            file=folder,
        )
    for name, text in _generated().items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(descriptor, SECRET_MODE)
            if owner:
                os.fchown(descriptor, *owner)
    if owner:
        os.chown(folder, *owner)


def check_secrets(folder: Path, names: Iterable[str] = (), *, shown_as: str = "secrets") -> None:
    """Hold the named secrets (all when none is named) and every other one that lies in the folder to the standard.

    Raises:
        ConfigurationError: a file is missing, empty, a default, or open to others; it names the file and the command that makes it.
    """
    wanted = set(names) or {secret.name for secret in SECRETS}
    for secret in SECRETS:
        file = folder / secret.name
        if secret.name not in wanted and not file.exists():
            continue
        problem = _file_problem(file) or secret.problem(file.read_text(encoding="utf-8"))
        if problem:
            raise ConfigurationError(f"{problem}; it {secret.purpose}. Make it with `{MAKE}`", file=f"{shown_as}/{secret.name}")


def _file_problem(file: Path) -> str | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return "is missing"
    if not stat.S_ISREG(status.st_mode):
        return "is no file"
    if stat.S_IMODE(status.st_mode) & 0o377:
        return f"has mode {stat.S_IMODE(status.st_mode):04o}, expected {SECRET_MODE:04o} (`chmod 0400`)"
    if not os.access(file, os.R_OK):
        return f"belongs to user {status.st_uid}, and this container runs as user {os.getuid()}: set REGULARS_UID in .env to the owner"
    return None


def _generated() -> dict[str, str]:
    access_key, secret_key = secrets.token_hex(10).upper(), secrets.token_urlsafe(32)
    identity = {
        "name": "regulars",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "api_secret_key": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(64),
        "admin_password": secrets.token_urlsafe(18),
        "postgres_password": secrets.token_urlsafe(32),
        "airflow_database_password": secrets.token_urlsafe(32),
        "warehouse_password": secrets.token_urlsafe(32),
        "s3_credentials": f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n",
        "s3_identities.json": json.dumps({"identities": [identity]}, indent=2) + "\n",
    }
