"""A lock on a file that the operating system frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from regulars.errors import RegularsError, TryAgain


class FileLock:
    """An exclusive lock between processes. The file tells who holds it."""

    def __init__(self, path: Path, *, purpose: str, wait_seconds: float = 0.0):
        self._path = path
        self._purpose = purpose
        self._wait_seconds = wait_seconds
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            TryAgain: another process still holds it after `wait_seconds`.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                    os.close(descriptor)
                    raise TryAgain(f"{self._purpose} is in use by {holder or 'another process'}; wait for it, then try again") from None
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        self._descriptor = descriptor

    @property
    def descriptor(self) -> int:
        """The open file: a child process that inherits it holds the lock as long as it lives, whatever becomes of this one."""
        if self._descriptor is None:
            raise RegularsError(f"{self._purpose} is not locked")
        return self._descriptor

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
