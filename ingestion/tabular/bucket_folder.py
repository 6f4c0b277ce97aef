"""Files of a source in an object store: the same labels and fingerprints as in a folder, fetched one at a time.

What an object's content is, is remembered by its ETag, so that what has not changed is not fetched again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ingestion.tabular.file_search import SUFFIXES, DataFile, is_meant, paths_of
from ingestion.tabular.text_stream import fingerprint
from regulars.home import Home
from regulars.object_store import ObjectStore, StoredObject

Known = dict[str, list[str]]
"""Label → ETag, time of the last change, SHA-256."""


class BucketFile:
    """See `ingestion.tabular.file_search.DataFile`. Its copy stands in the folder of the work until it has been read."""

    def __init__(self, store: ObjectStore, one: StoredObject, known: Known, folder: Path):
        self._store, self._one, self._known, self._folder = store, one, known, folder
        self._copy: Path | None = None
        self.label = one.name

    def fingerprint(self) -> str:
        version, known = [self._one.version, self._one.changed_at], self._known.get(self.label)
        if known is None or known[:2] != version:
            self._known[self.label] = known = [*version, fingerprint(self.path())]
        return known[2]

    def path(self) -> Path:
        if self._copy is None:
            # The object's own name might lead out of the folder.
            suffix = next((suffix for suffix in SUFFIXES if self.label.lower().endswith(suffix)), "")
            self._copy = self._folder / f"object{suffix}"
            self._store.download(self._one, self._copy)
        return self._copy

    def close(self) -> None:
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)


class BucketFolder:
    """See `ingestion.tabular.file_search.DataFolder`. The bucket is listed once, when it is first asked.

    Args:
        folder: for copies, readable by the owner alone.
    """

    def __init__(self, store: ObjectStore, source: str, home: Home, folder: Path):
        self._store, self._folder = store, folder
        self._memory = home.private_folder(home.var / "objects") / f"{source}.json"
        self._known = _read_memory(self._memory)
        self._listed: list[StoredObject] | None = None

    def __str__(self) -> str:
        return str(self._store.place)

    def files_of(self, table: str, paths: list[str]) -> list[DataFile]:
        wanted = paths_of(table, paths)
        found = [one for one in self._objects() if any(is_meant(one.name, path) for path in wanted)]
        return [BucketFile(self._store, one, self._known, self._folder) for one in found]

    def what_is_there(self) -> str:
        names = sorted({one.name.split("/")[0] for one in self._objects()})
        return f"There are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}." if names else "Nothing stands there."

    def remember(self) -> None:
        """Write down what the objects of tonight hold."""
        names = {one.name for one in self._objects()}
        content = json.dumps({label: known for label, known in sorted(self._known.items()) if label in names}, indent=1)
        aside = self._memory.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(content + "\n")
        aside.replace(self._memory)

    def _objects(self) -> list[StoredObject]:
        if self._listed is None:
            self._listed = [one for one in self._store.objects() if not _is_odd(one.name)]
        return self._listed


def _is_odd(name: str) -> bool:
    return any(part in ("", ".", "..") for part in name.split("/"))


def _read_memory(file: Path) -> Known:
    """Nothing is lost with it: what is not known is fetched."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {label: [str(part) for part in known] for label, known in content.items() if len(known) == 3}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
