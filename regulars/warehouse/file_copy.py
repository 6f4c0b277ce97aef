"""A large file copied for little: as a clone where the file system can, else past the kernel's memory of files.

Written as usual, ten gigabytes cost a processor ten seconds, and push out what the next step would have found in memory.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress
from pathlib import Path

FICLONE = 0x40049409
"""Linux: make a copy that shares its blocks with the original until one of them changes."""

PAST_THE_MEMORY = getattr(os, "O_DIRECT", 0)
"""Linux: write without filling the page cache. Elsewhere the flag does nothing."""

WINDOW = 64 << 20
"""What is mapped counts as this process's memory."""


def copy_file(source: Path, target: Path) -> None:
    """Make `target`, with mode 0600, what `source` is; it is on the disk when this returns, its name when the folder is."""
    with source.open("rb") as original:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.ioctl(descriptor, FICLONE, original.fileno())
            except OSError:
                _pour(original.fileno(), descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _pour(source: int, target: int) -> None:
    size, flags = os.fstat(source).st_size, fcntl.fcntl(target, fcntl.F_GETFL)
    done = 0
    with suppress(OSError):  # a file system without direct writing; what else is wrong is met again below
        fcntl.fcntl(target, fcntl.F_SETFL, flags | PAST_THE_MEMORY)
        done = _write(source, target, 0, size - size % mmap.PAGESIZE)
    fcntl.fcntl(target, fcntl.F_SETFL, flags)
    done = max(done, os.lseek(target, 0, os.SEEK_CUR) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY)
    os.lseek(target, done, os.SEEK_SET)
    _write(source, target, done, size)


def _write(source: int, target: int, start: int, end: int) -> int:
    """Write a part of the source, which begins at a page, where the target stands; where it ends."""
    while start < end:
        length = min(WINDOW, end - start)
        with mmap.mmap(source, length, access=mmap.ACCESS_READ, offset=start) as mapped, memoryview(mapped) as content:
            done = 0
            while done < length:
                with content[done:] as rest:
                    done += os.write(target, rest)
        start += length
    return start
