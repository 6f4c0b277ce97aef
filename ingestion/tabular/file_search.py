"""Which files a path in a mapping means, and how one of them is read: from a folder here, or from an object store."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Protocol

from ingestion.tabular.text_stream import fingerprint
from regulars.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".pq")


class DataFile(Protocol):
    """One file to read. `label` is its path within its folder, for people and for tables."""

    @property
    def label(self) -> str: ...

    def fingerprint(self) -> str:
        """SHA-256 of its bytes.

        Raises:
            InputError: it cannot be read.
        """

    def path(self) -> Path:
        """The file here, fetched first where it stands elsewhere."""

    def close(self) -> None:
        """Give back what was fetched."""


class DataFolder(Protocol):
    """Where the files of a source stand."""

    def files_of(self, table: str, paths: list[str]) -> list[DataFile]:
        """Files of a canonical table: those that `paths` name, each a file, a folder or a glob, in order of name.

        Without `paths`, files and folders that bear the table's name. In a folder, files that begin with a dot or end in
        nothing that we read are left alone: they are still being written, or notes.
        """

    def __str__(self) -> str:
        """The place, for people."""

    def what_is_there(self) -> str:
        """A sentence on what stands there, for a message about something that does not."""


class LocalFile:
    """See `DataFile`."""

    def __init__(self, path: Path, folder: Path, source: str):
        self._path = path
        self.label = _label(path, folder, source)

    def fingerprint(self) -> str:
        try:
            return fingerprint(self._path)
        except OSError as error:
            raise InputError(
                f"{self.label} cannot be read ({error.strerror}): let the user who runs the night read it, then try again"
            ) from None

    def path(self) -> Path:
        return self._path

    def close(self) -> None:
        """Nothing was fetched."""


class LocalFolder:
    """See `DataFolder`."""

    def __init__(self, path: Path, source: str):
        self._path, self._source = path, source

    def __str__(self) -> str:
        return str(self._path)

    def files_of(self, table: str, paths: list[str]) -> list[DataFile]:
        found: set[Path] = set()
        for path in paths_of(table, paths):
            for match in sorted(self._path.glob(path)) if is_glob(path) else [self._path / path]:
                if match.is_dir():
                    found |= {file for file in match.rglob("*") if file.is_file() and is_data(file.name)}
                elif match.is_file():
                    found.add(match)
        return [LocalFile(file, self._path, self._source) for file in sorted(found)]

    def what_is_there(self) -> str:
        if not self._path.is_dir():
            return f"The folder {self._path.name} itself is missing."
        names = sorted(path.name for path in self._path.iterdir() if not path.name.startswith("."))
        return f"There are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}." if names else "The folder is empty."


def paths_of(table: str, paths: list[str]) -> list[str]:
    return paths or [table, *(f"{table}{suffix}" for suffix in SUFFIXES)]


def is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def is_data(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def is_meant(label: str, path: str) -> bool:
    """Whether a file is what the path of a mapping names, or stands in a folder that it names."""
    parts, wanted = label.split("/"), PurePosixPath(path).parts
    if _fits(parts, wanted):
        return True
    return is_data(parts[-1]) and any(_fits(parts[:count], wanted) for count in range(len(parts)))


def _fits(parts: list[str], wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[count:], wanted[1:]) for count in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _label(path: Path, folder: Path, source: str) -> str:
    label = Path(os.path.relpath(path, folder)).as_posix()
    try:
        label.encode()
    except UnicodeEncodeError:
        shown = label.encode(errors="surrogateescape").decode(errors="replace")
        raise InputError(f"the name of the file {shown} of the source {source} is no UTF-8 text: give it another name") from None
    return label
