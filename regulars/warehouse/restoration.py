"""What becomes of a damaged DuckDB file: it is put aside, and the last consistent warehouse takes its place by itself.

What a stage has ended stands in the database file. Its write-ahead log holds only what a step that was killed had written, so
a damaged log is put aside and the step is done again. When the file itself is damaged or gone, the snapshot that the
last run kept when it was published takes its place, and what the home's open runs had done is lost: they go on from their
beginning. The state, with the ledger, is another database and is never rewound.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import duckdb

from regulars.errors import TRY_AGAIN, RegularsError, TryAgain
from regulars.home import Home
from regulars.progress import say
from regulars.state import State
from regulars.synced_files import sync_folder
from regulars.warehouse.file_copy import copy_file

ROTTEN_BLOCK = "Corrupt database file"
"""What DuckDB says when it reads a block of an open database whose bytes are not those that it wrote."""

DAMAGE = ("replaying WAL", ROTTEN_BLOCK, "not a valid DuckDB database file", "Could not read enough bytes")
"""What it says when such a file is opened."""

WANT_OF_MEANS = ("No space left", "Out of Memory", "Cannot allocate", "Permission denied")
"""What it says of a machine that cannot read a whole file at the moment."""

DAMAGED_KEPT = 3
"""Damaged files hold personal data, so only the last ones are kept."""


class WarehouseRestored(RegularsError):
    """The warehouse went back to what was published last: a run that is on its way must begin again."""

    exit_code = TRY_AGAIN


def opened(home: Home, open_file: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """What `open_file` gives for the home's warehouse, whose damaged write-ahead log is put aside first.

    Raises:
        WarehouseRestored: the file was damaged or gone; it has been replaced by the snapshot.
        RegularsError: it was, and there is no snapshot.
        TryAgain: another program has the file open.
    """
    if not home.warehouse.exists() and home.warehouse_snapshot.exists():
        restore(home, "is missing")
    try:
        return open_file()
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            raise TryAgain(f"another program has {home.warehouse} open; close it, then try again") from None
        if not _is_damage(error):
            raise
    if not _logs(home):
        restore(home, "is damaged")
    folder = _put_aside(home, _logs(home))
    try:
        connection = open_file()
    except duckdb.Error as error:
        if not _is_damage(error):
            raise
        restore(home, "is damaged")
    say(f"  ! the warehouse's write-ahead log was damaged and lies in {folder}; what the interrupted step wrote is written again")
    return connection


def _is_damage(error: duckdb.Error) -> bool:
    return any(words in str(error) for words in DAMAGE) and not any(words in str(error) for words in WANT_OF_MEANS)


def restore(home: Home, what: str) -> NoReturn:
    """Put the warehouse aside and the snapshot in its place; always ends with an error that says what was done."""
    state = State(home.state)
    with state.transaction() as connection:
        # A rebuild leaves the warehouse, and its snapshot, as they were.
        finished = connection.execute(
            "select run_id from runs where status = 'done' and kind <> 'rebuild' order by rowid desc limit 1"
        ).fetchone()
        has_snapshot = home.warehouse_snapshot.exists()
        if finished is not None and not has_snapshot:
            raise RegularsError(
                f"{home.warehouse} {what}, and there is no {home.warehouse_snapshot.name} beside it to restore it from. Put a "
                f"backup there. Without one, move {home.warehouse.name} away and run again: the sources are read anew, and the "
                f"ledger in {home.state} stays as it is"
            )
        connection.execute("update runs set status = 'rewound' where status = 'open'")
    folder = _put_aside(home, [file for file in (home.warehouse, *_logs(home)) if file.exists()])
    where = f" and lies in {folder}" if folder else ""
    if has_snapshot:
        _copy(home.warehouse_snapshot, home.warehouse)
    became = "it is again as it was published last" if has_snapshot else "it begins anew, as nothing had been published yet"
    say(f"  ! the warehouse {what}{where}; {became}")
    raise WarehouseRestored(f"{home.warehouse} {what}{where}; {became}. Run the night again from its beginning: nothing is sent twice")


def keep_snapshot(home: Home) -> None:
    """Keep a copy of the closed warehouse as what it is restored from; an older one stays when there is no room."""
    try:
        _copy(home.warehouse, home.warehouse_snapshot)
    except OSError as error:
        say(f"  ! no snapshot of the warehouse could be kept ({error.strerror}); the last one stays what it would be restored from")


def _copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    aside = target.with_name(f"{target.name}.new")
    try:
        copy_file(source, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(target.parent)


def _logs(home: Home) -> list[Path]:
    """The write-ahead log, and what DuckDB keeps beside it during a checkpoint."""
    return sorted(home.warehouse.parent.glob(f"{home.warehouse.name}.wal*"))


def _put_aside(home: Home, files: Sequence[Path]) -> Path | None:
    """Move the files to a folder of their own in var/damaged; None when there are none."""
    if not files:
        return None
    numbers = sorted(int(folder.name) for folder in home.private_folder(home.damaged).iterdir() if folder.name.isdecimal())
    folder = home.private_folder(home.damaged / str(numbers[-1] + 1 if numbers else 1))
    for file in files:
        file.rename(folder / file.name)
    for number in numbers[: -(DAMAGED_KEPT - 1)]:
        with suppress(OSError):
            shutil.rmtree(home.damaged / str(number))
    return folder
