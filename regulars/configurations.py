"""The configuration of every night, kept under its hash, so that a past night is computed again by what its shop wanted then."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

from regulars.errors import InputError
from regulars.home import Home


def configuration_hash(folder: Path) -> str:
    """SHA-256 over all YAML files of a configuration, names and bytes."""
    digest = hashlib.sha256()
    for file in _files(folder):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def keep_configuration(home: Home) -> str:
    """Keep a copy of the home's configuration in var/configurations/, whole or not at all; its hash."""
    aside = home.private_folder(home.configurations) / ".new"
    shutil.rmtree(aside, ignore_errors=True)
    for file in _files(home.config):
        copy = aside / file.relative_to(home.config)
        home.private_folder(copy.parent)
        shutil.copyfile(file, copy)
    found = configuration_hash(aside)
    folder = home.configurations / found
    if folder.exists() and configuration_hash(folder) == found:
        shutil.rmtree(aside)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    return found


def home_as_configured(home: Home, config_hash: str) -> Home:
    """The home with the configuration of that hash: its present one, or one that was kept.

    Raises:
        InputError: it was not kept, or is not what was kept.
    """
    if configuration_hash(home.config) == config_hash:
        return home
    folder = home.configurations / config_hash
    if not folder.is_dir() or configuration_hash(folder) != config_hash:
        raise InputError(
            f"{folder}: the configuration of that night is not there as it was, and the present one is another; "
            f"put its files back there or into {home.config}, from your version control or a backup, and try again"
        )
    return dataclasses.replace(home, configuration=folder)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.yml"))
