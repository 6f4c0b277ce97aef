"""Which process is meant: numbers are given again, so a process is told by its number and its start."""

from __future__ import annotations

from pathlib import Path


def identity(process_id: int) -> str:
    """A process as `number@start`, so that a later process with the same number is told apart; `number@` when it is gone."""
    try:
        # The name of the program, in brackets, may hold blanks: count the fields after it.
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return f"{process_id}@"
    return f"{process_id}@" if fields[0] == "Z" else f"{process_id}@{fields[19]}"


def is_gone(known_as: str) -> bool:
    """Whether the process of that identity has ended."""
    return known_as != identity(int(known_as.split("@", maxsplit=1)[0]))
