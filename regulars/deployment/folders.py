"""The folders that the containers write to, closed to other users, and the user that owns them."""

from __future__ import annotations

import os
from pathlib import Path

from regulars.deployment.secret_files import FOLDER_MODE, write_secrets

CONTAINER_USER = (10001, 10001)
"""User and group of the containers when root prepares the deployment; otherwise they run as whoever prepares it."""

FOLDERS = ("shop/config", "shop/orders", "shop/var", "data/postgres", "data/objects", "data/logs", "backups")
"""Below the repository, unless .env names other places."""


def prepare_deployment(root: Path) -> None:
    """Make the secrets, the folders and `.env`, which names their owner. Nothing that exists is changed but for its mode.

    Raises:
        ConfigurationError: secrets stand there already.
    """
    owner = CONTAINER_USER if os.getuid() == 0 else (os.getuid(), os.getgid())
    change_to = owner if os.getuid() == 0 else None
    write_secrets(root / "secrets", change_to)
    for name in FOLDERS:
        folder = root / name
        for part in (folder.parent, folder):
            if part == root:
                continue
            part.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            part.chmod(FOLDER_MODE)
            if change_to:
                os.chown(part, *change_to)
    environment = root / ".env"
    if not environment.exists():
        environment.write_text(
            f"# Who owns the folders and secrets; no secret stands here.\nREGULARS_UID={owner[0]}\nREGULARS_GID={owner[1]}\n"
        )
