"""Which files a path in a mapping means."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".pq")


def files_of(folder: Path, table: str, paths: list[str]) -> list[Path]:
    """Files of a canonical table: those that `paths` name, each a file, a folder or a glob within `folder`, in order of name.

    Without `paths`, files and folders that bear the table's name. In a folder, files that begin with a dot or end in
    nothing that we read are left alone: they are still being written, or notes.
    """
    found: set[Path] = set()
    for path in paths or [table, *(f"{table}{suffix}" for suffix in SUFFIXES)]:
        matches = sorted(folder.glob(path)) if any(sign in path for sign in "*?[") else [folder / path]
        for match in matches:
            if match.is_dir():
                found |= {file for file in match.rglob("*") if file.is_file() and _is_data(file)}
            elif match.is_file():
                found.add(match)
    return sorted(found)


def _is_data(file: Path) -> bool:
    return not file.name.startswith(".") and file.name.lower().endswith(SUFFIXES)
