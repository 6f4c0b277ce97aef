"""A bucket of CSV files, for whatever reads from an object store: a warehouse, a mail house, another team.

`<as_of>/<version>/<segment>.csv` for every segment, and `<as_of>/manifest.json`, which names them and is written last, if
nobody else has written it meanwhile. A night without a manifest does not exist for a reader.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from activation.destination import Changes, DestinationSettings, Holdings, Recorder, SegmentList, Target
from activation.list_files import LISTS, MANIFEST, members_of, read_lists, write_lists
from regulars.errors import ConfigurationError, TryAgain
from regulars.home import Home
from regulars.object_place import ObjectPlace, ObjectStoreSettings, PlaceText, store_key

NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")
EVERYONE = ("/AllUsers", "/AuthenticatedUsers")


class Settings(DestinationSettings, ObjectStoreSettings):
    type: Literal["s3"]
    path: PlaceText = Field(description="Where the lists go: s3://bucket/prefix, a prefix for this home alone.")
    encryption: Literal["AES256", "aws:kms"] | None = Field(
        default=None, description="Server-side encryption to ask for; default: as the bucket does by itself."
    )
    kms_key_id: str | None = Field(default=None, description="Key for aws:kms; default: the account's own.")

    @model_validator(mode="after")
    def _has_use_for_the_key(self) -> Settings:
        if self.kms_key_id is not None and self.encryption != "aws:kms":
            raise ValueError("kms_key_id needs `encryption: aws:kms`")
        return self

    def secrets_of(self, login: str | None, password: str | None) -> dict[str, str]:
        return store_key(login, password)

    def write_options(self) -> dict[str, str]:
        options = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key_id}
        return {name: value for name, value in options.items() if value is not None}


class Destination:
    """See `activation.destination.Destination`."""

    capabilities = LISTS
    creates_contacts = False
    is_own = False

    def __init__(self, settings: Settings, home: Home, secrets: Mapping[str, str]):
        # Only who writes to a bucket waits for boto3 to load.
        from regulars.object_store import ObjectStore

        self._settings, self._home = settings, home
        self._store = ObjectStore(ObjectPlace.parse(settings.path), settings, secrets)
        self._seen: dict[str, tuple[bytes, str]] = {}
        self._whole: set[str] = set()
        self._contents: Mapping[str, pa.Table] = {}

    def pinned(self) -> Target:
        return Target("", self._settings.path, "")

    def target(self) -> Target:
        self._store.require()
        self._refuse_public_bucket()
        return self.pinned()

    def read(self, lists: Sequence[SegmentList]) -> Holdings:  # noqa: ARG002 - the manifest tells by itself which lists there are
        found: dict[str, pa.Table] = {}
        self._whole = set()
        self._seen = self._latest_night()
        for manifest, _ in self._seen.values():
            with self._aside("read") as folder:
                found = read_lists(self._fetched(manifest, folder), self._contents)
            self._whole = {entry["object"] for name, entry in _files(manifest).items() if Path(name).stem in found}
        return Holdings(frozenset(found), members_of(found), None)

    def push(self, changes: Changes, record: Recorder) -> str:
        night = changes.as_of.isoformat()
        self._refuse_later_night(night)
        with self._aside("written") as folder:
            written = write_lists(folder, changes.as_of, changes.model_version, changes.lists, changes.rows, changes.workspace)
            self._contents = written.contents
            manifest = _manifest(night, (folder / MANIFEST).read_bytes())
            known, version = self._seen.get(night, (b"", None))
            for name, entry in _files(manifest).items():
                if entry["object"] not in self._whole:
                    self._store.write(
                        entry["object"], folder / name, ContentType="text/csv; charset=utf-8", **self._settings.write_options()
                    )
        is_changed = manifest != known
        if is_changed:
            self._publish(night, manifest, version)
        for one in changes.lists:
            record("enter", one.segment, changes.enter.filter(pc.equal(changes.enter["segment"], one.segment)), {})
            record("leave", one.segment, changes.leave.filter(pc.equal(changes.leave["segment"], one.segment)), {})
        what = f"{written.lists} lists, {changes.rows.num_rows:,} customers"
        return f"{what} in {self._store.place}/{night}{'' if is_changed else ', unchanged'}"

    def close(self) -> None:
        self._store.close()

    def _publish(self, night: str, manifest: bytes, version: str | None) -> None:
        """Make the night visible, unless another run has done so since this one looked."""
        options = {"ContentType": "application/json", **self._settings.write_options()}
        self._store.require_conditional_writes(**options)
        name = f"{night}/{MANIFEST}"
        if self._store.write_if(name, manifest, version, **options):
            return
        # The answer to a write that came through may have been lost, and the same lists are the same night.
        present = self._store.read(name)
        if present is None or present[0] != manifest:
            raise TryAgain(
                f"another run has published the night of {night} in {self._store.place} meanwhile; nothing of this one is visible there. "
                "Look which one it was; trying again compares with what it published"
            )

    def _refuse_later_night(self, night: str) -> None:
        later = max(self._seen, default="")
        if later > night:
            raise ConfigurationError(
                f"{self._store.place} holds the night of {later} already, which this home has not sent: does another home write there? "
                "Give each a prefix of its own"
            )

    def _refuse_public_bucket(self) -> None:
        block = (self._store.ask("get_public_access_block") or {}).get("PublicAccessBlockConfiguration", {})
        reason = ""
        if not block.get("RestrictPublicBuckets"):
            status = (self._store.ask("get_bucket_policy_status") or {}).get("PolicyStatus", {})
            reason = "its policy lets everyone in" if status.get("IsPublic") else ""
        if not reason and not block.get("IgnorePublicAcls"):
            grants = (self._store.ask("get_bucket_acl") or {}).get("Grants", ())
            is_open = any(grant.get("Grantee", {}).get("URI", "").endswith(EVERYONE) for grant in grants)
            reason = "its access control list lets everyone in" if is_open else ""
        if reason:
            raise ConfigurationError(
                f"the bucket of {self._store.place} is public: {reason}. Nothing was written, for the lists hold addresses; "
                "block public access to the bucket, or name another one"
            )

    def _latest_night(self) -> dict[str, tuple[bytes, str]]:
        for night in sorted(filter(NIGHT.fullmatch, self._store.folders()), reverse=True):
            present = self._store.read(f"{night}/{MANIFEST}")
            if present is not None:
                return {night: present}
        return {}

    def _fetched(self, manifest: bytes, folder: Path) -> Path:
        """The night as a folder here, as far as its objects are there."""
        folder.mkdir(mode=0o700)
        (folder / MANIFEST).write_bytes(manifest)
        wanted = {entry["object"]: Path(name).name for name, entry in _files(manifest).items()}
        for prefix in sorted({name.rpartition("/")[0] for name in wanted}):
            for one in self._store.objects(f"{prefix}/"):
                if one.name in wanted:
                    self._store.download(one, folder / wanted[one.name])
        return folder

    @contextmanager
    def _aside(self, name: str) -> Iterator[Path]:
        """A place for lists in passing, closed to others, that leaves nothing behind."""
        outbox = self._home.private_folder(self._home.var / "outbox" / hashlib.sha256(self._settings.path.encode()).hexdigest()[:12])
        folder = outbox / name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(outbox, ignore_errors=True)


def _files(manifest: bytes) -> dict[str, dict[str, Any]]:
    """The manifest's files, each with the object that it is; none where it is no manifest of ours."""
    try:
        files: dict[str, dict[str, Any]] = json.loads(manifest)["files"]
        return {name: entry for name, entry in files.items() if isinstance(entry["object"], str) and isinstance(entry["sha256"], str)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _manifest(night: str, of_the_folder: bytes) -> bytes:
    """That of a folder of lists, with the objects under a prefix that its content names."""
    content = json.loads(of_the_folder)
    version = hashlib.sha256(of_the_folder).hexdigest()[:16]
    for name, entry in content["files"].items():
        entry["object"] = f"{night}/{version}/{name}"
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
