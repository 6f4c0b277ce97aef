"""Secrets: made once, closed to others, refused when they are missing, empty, a default or open."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regulars.deployment.container import check
from regulars.deployment.folders import CONTAINER_USER, FOLDERS, prepare_deployment
from regulars.deployment.secret_files import SECRETS, check_secrets, write_secrets
from regulars.deployment.time_sync import UNSYNCHRONISED, check_clock, kernel_clock_state
from regulars.errors import ConfigurationError
from tests.deployment.deployment_files import ROOT

NAMES = [secret.name for secret in SECRETS]
DEFAULTS = [
    "",
    "\n",
    "airflow",
    "admin",
    "changeme",
    "ChangeMe",
    "password",
    "minioadmin",
    "airflowairflowairflow",
    "change-me-change-me!",
    "short",
]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    write_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def _rewrite(file: Path, text: str, mode: int = 0o400) -> None:
    file.unlink()
    file.write_text(text)
    file.chmod(mode)


def test_generated_secrets_are_fit_and_closed(secrets: Path) -> None:
    check_secrets(secrets)
    assert {path.name for path in secrets.iterdir()} == set(NAMES)
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o400}
    assert secrets.stat().st_mode & 0o777 == 0o700


def test_no_two_deployments_share_a_secret(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_secrets(tmp_path / name)
    assert all((tmp_path / "one" / name).read_text() != (tmp_path / "two" / name).read_text() for name in NAMES)


def test_secrets_are_never_overwritten(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    (secrets / "jwt_secret").unlink()
    del before[secrets / "jwt_secret"]
    with pytest.raises(ConfigurationError, match="never overwritten"):
        write_secrets(secrets)
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", DEFAULTS)
def test_a_default_secret_is_refused(secrets: Path, name: str, text: str) -> None:
    _rewrite(secrets / name, text)
    with pytest.raises(ConfigurationError, match=rf"^secrets/{name}: .*`make secrets`"):
        check_secrets(secrets)


def test_the_refusal_does_not_tell_the_secret(secrets: Path) -> None:
    _rewrite(secrets / "postgres_password", "hunter2-hunter2")
    with pytest.raises(ConfigurationError, match="shorter than 16 characters") as refused:
        check_secrets(secrets)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fernet_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("fernet_key", "a-long-text-that-is-no-key-but-has-characters"),
        ("s3_credentials", "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = minioadmin\n"),
        ("s3_identities.json", '{"identities": [{"credentials": [{"accessKey": "AKIAIOSFODNN7EXAMPLE", "secretKey": "secret"}]}]}'),
        ("s3_identities.json", '{"identities": []}'),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused(secrets: Path, name: str, text: str) -> None:
    _rewrite(secrets / name, text)
    with pytest.raises(ConfigurationError, match=rf"^secrets/{name}: "):
        check_secrets(secrets)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_secret_is_refused(secrets: Path, name: str) -> None:
    (secrets / name).unlink()
    with pytest.raises(ConfigurationError, match=rf"^secrets/{name}: is missing.*`make secrets`"):
        check_secrets(secrets)


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o444, 0o600, 0o500])
def test_an_open_secret_is_refused(secrets: Path, mode: int) -> None:
    (secrets / "jwt_secret").chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"^secrets/jwt_secret: has mode {mode:04o}, expected 0400"):
        check_secrets(secrets, ["fernet_key"])


def test_a_service_is_not_started_while_a_default_stands(secrets: Path, tmp_path: Path) -> None:
    _rewrite(secrets / "airflow_database_password", "airflow")
    witness = tmp_path / "started"
    done = subprocess.run(
        [sys.executable, "-m", "regulars.deployment", "start", "touch", str(witness)],
        cwd=ROOT,
        env={**os.environ, "REGULARS_SECRETS": str(secrets), "REGULARS_RUNTIME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: secrets/airflow_database_password: holds a default value")
    assert not witness.exists()


def test_start_closes_files_to_others_and_keeps_secrets_out_of_the_environment(secrets: Path, tmp_path: Path) -> None:
    script = "touch made && env > environment && cat /proc/$$/cmdline > arguments"
    subprocess.run(
        [sys.executable, "-m", "regulars.deployment", "start", "sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "REGULARS_SECRETS": str(secrets), "REGULARS_RUNTIME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("pgpass", "passwords.json")} == {0o600}
    seen = (tmp_path / "environment").read_text() + (tmp_path / "arguments").read_text()
    assert not [name for name in NAMES if (secrets / name).read_text().strip() in seen]


def test_root_is_refused(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_UNSYNCHRONISED_CLOCK", "allow")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(ConfigurationError, match=r"^\.env: the containers would run as root"):
        check(secrets)
    monkeypatch.setattr(os, "getuid", lambda: 10001)
    check(secrets)


def test_an_unsynchronised_clock_is_refused() -> None:
    assert kernel_clock_state() in range(-1, 6)
    with pytest.raises(ConfigurationError, match="REGULARS_UNSYNCHRONISED_CLOCK=allow"):
        check_clock(UNSYNCHRONISED, "refuse")
    assert "not synchronised" in check_clock(UNSYNCHRONISED, "allow")
    assert check_clock(0, "refuse") == "the clock is synchronised"


def test_prepared_folders_are_closed_and_owned(tmp_path: Path) -> None:
    prepare_deployment(tmp_path)
    owner = CONTAINER_USER if os.getuid() == 0 else (os.getuid(), os.getgid())
    for name in (*FOLDERS, "shop", "data", "secrets"):
        status = (tmp_path / name).stat()
        assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o700, *owner), name
    assert {path.stat().st_uid for path in (tmp_path / "secrets").iterdir()} == {owner[0]}
    assert (tmp_path / ".env").read_text().endswith(f"REGULARS_UID={owner[0]}\nREGULARS_GID={owner[1]}\n")
