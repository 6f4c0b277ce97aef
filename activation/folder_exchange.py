"""Replace a folder by another in one step, so that a reader finds the old one or the new one, and never none."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from regulars.errors import RegularsError

AT_FDCWD = -100
RENAME_EXCHANGE = 2
NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def switch_in(new: Path, folder: Path) -> None:
    """Make `new` the `folder`; what stood there before stands at `new` then, to be removed.

    Where the file system cannot exchange two folders (some network file systems), the old one is moved away first; a process
    that dies between the two renames leaves a folder that the next writing fills again.
    """
    if not folder.exists():
        new.rename(folder)
        return
    error = _exchange(new, folder)
    if error in NOT_OFFERED:
        former = former_name(folder)
        folder.rename(former)
        new.rename(folder)
        former.rename(new)
    elif error:
        raise RegularsError(f"{folder} could not be replaced by {new.name}: {os.strerror(error)}")


def former_name(folder: Path) -> Path:
    """Where the old folder stands for a moment when it had to be moved away; a leftover of a process that died."""
    return folder.with_name(f".{folder.name}.old")


def _exchange(one: Path, other: Path) -> int:
    """Let two folders change their names, atomically; 0, or the error's number. Python offers no function for it."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return errno.ENOSYS
    done = library.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), ctypes.c_uint(RENAME_EXCHANGE))
    return ctypes.get_errno() if done != 0 else 0
