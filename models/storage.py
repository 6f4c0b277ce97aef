"""Where a registry keeps its bytes: a folder, or a bucket with a copy here of what was read.

Both hold `<version>/<file>` and `promoted.json`. Neither knows what a model is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from regulars.home import Home
from regulars.object_place import ObjectPlace, is_object_place
from regulars.settings import HomeSettings
from regulars.synced_files import sync_folder, write_synced

if TYPE_CHECKING:
    from regulars.object_store import ObjectStore

PROMOTED, DAMAGED = "promoted.json", "promoted.damaged"


class Storage(Protocol):
    """Keeps what a registry gives it."""

    def place(self, name: str) -> str:
        """Where `<version>/<file>` or another name stands, for people."""

    def read(self, name: str, sha256: str) -> bytes | None:
        """The file, with the hash or with another one; None when there is none."""

    def save(self, version: str, files: Mapping[str, bytes]) -> None:
        """Write a version, whole or not at all; a whole one that stands there is left alone."""

    def promoted(self) -> tuple[bytes, str] | None:
        """Content of promoted.json, and what tells this state of it from a later one."""

    def replace_promoted(self, content: bytes, seen: str | None) -> bool:
        """Write promoted.json if it is still as seen, or absent when that is None; whether it was written."""

    def put_aside(self, content: bytes) -> None:
        """Keep a damaged promoted.json for people to look at."""


@contextmanager
def open_storage(home: Home) -> Iterator[Storage]:
    """The storage that config/prediction.yml names."""
    settings = HomeSettings(home).prediction.registry
    if not is_object_place(settings.path):
        yield FolderStorage((home.path / Path(settings.path).expanduser()).resolve(), home)
        return
    from regulars.object_store import ObjectStore

    store = ObjectStore(ObjectPlace.parse(settings.path), settings)
    try:
        yield BucketStorage(store, home.private_folder(home.models))
    finally:
        store.close()


class FolderStorage:
    """See `Storage`. One run of a home is at work at a time, so nobody else writes promoted.json meanwhile."""

    def __init__(self, folder: Path, home: Home):
        self._folder, self._home = folder, home

    def place(self, name: str) -> str:
        return str(self._folder / name)

    def read(self, name: str, sha256: str) -> bytes | None:  # noqa: ARG002 - there is but one copy
        file = self._folder / name
        return file.read_bytes() if file.is_file() else None

    def save(self, version: str, files: Mapping[str, bytes]) -> None:
        folder = self._home.private_folder(self._folder) / version
        if all(self.read(f"{version}/{name}", "") == content for name, content in files.items()):
            return
        aside = self._folder / ".new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        for name, content in files.items():
            write_synced(aside / name, content)
        sync_folder(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
        sync_folder(self._folder)

    def promoted(self) -> tuple[bytes, str] | None:
        file = self._folder / PROMOTED
        return (file.read_bytes(), "") if file.exists() else None

    def replace_promoted(self, content: bytes, seen: str | None) -> bool:  # noqa: ARG002
        aside = self._home.private_folder(self._folder) / ".promoted.new"
        write_synced(aside, content)
        aside.replace(self._folder / PROMOTED)
        sync_folder(self._folder)
        return True

    def put_aside(self, content: bytes) -> None:
        write_synced(self._folder / DAMAGED, content)


class BucketStorage:
    """See `Storage`. Copies of versions stand in the folder `copies`; promoted.json is always asked for."""

    def __init__(self, store: ObjectStore, copies: Path):
        self._store, self._copies = store, copies

    def place(self, name: str) -> str:
        return f"{self._store.place}/{name}"

    def read(self, name: str, sha256: str) -> bytes | None:
        copy = self._copies / name
        if copy.is_file() and hashlib.sha256(content := copy.read_bytes()).hexdigest() == sha256:
            return content
        found = self._store.read(name)
        if found is None:
            return None
        copy.parent.mkdir(exist_ok=True, mode=0o700)
        aside = copy.with_name(f".{copy.name}.{os.getpid()}")
        aside.write_bytes(found[0])
        aside.replace(copy)
        return found[0]

    def save(self, version: str, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():  # the manifest comes last
            present = self._store.read(f"{version}/{name}")
            if present is None or present[0] != content:
                self._store.write_bytes(f"{version}/{name}", content)

    def promoted(self) -> tuple[bytes, str] | None:
        return self._store.read(PROMOTED)

    def replace_promoted(self, content: bytes, seen: str | None) -> bool:
        self._store.require_conditional_writes()
        return self._store.write_if(PROMOTED, content, seen)

    def put_aside(self, content: bytes) -> None:
        self._store.write_bytes(DAMAGED, content)
