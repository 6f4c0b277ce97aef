"""An object store that speaks S3, through boto3: list, read, write, and write only if nobody else has.

No error carries a text of the library or of the store: those quote keys, signatures and names of objects.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
from botocore.loaders import create_loader

from regulars.errors import ConfigurationError, TryAgain
from regulars.object_place import ObjectPlace, ObjectStoreSettings
from regulars.object_refusal import NO_ANSWER, code_of, in_our_words

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DESCRIPTIONS = create_loader()
"""boto3's descriptions of the API, read once for all clients of the process."""

CHUNK_BYTES = 1 << 20
TRIES = 5
PROBE, PROBE_TEXT = ".conditional-writes", b"Regulars writes this twice: the store must refuse the second time.\n"
NOT_WRITTEN = ("412", "409", "PreconditionFailed", "ConditionalRequestConflict")
ABSENT = ("404", "NoSuchKey")


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it: `name` within the place, `version` (its ETag) changes with its content."""

    name: str
    size: int
    version: str
    changed_at: str


class ObjectStore:
    """The objects below one place. Names are those within the place.

    Args:
        key: access_key_id and secret_access_key; where they are left out, boto3 finds them as every AWS tool does.
    """

    def __init__(self, place: ObjectPlace, settings: ObjectStoreSettings, key: Mapping[str, str] | None = None):
        self.place = place
        with self._in_our_words("reached"):
            self._client = _client(settings, key or {})

    def close(self) -> None:
        self._client.close()

    def require(self) -> None:
        """Look whether the place may be listed.

        Raises:
            ConfigurationError: it may not, or there is no such bucket.
            TryAgain: the store does not answer.
        """
        with self._in_our_words("listed"):
            self._client.list_objects_v2(Bucket=self.place.bucket, Prefix=self.place.prefix, MaxKeys=1)

    def objects(self, begin: str = "") -> list[StoredObject]:
        """All objects of the place whose names begin so, in the order of their names."""
        with self._in_our_words("listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket, Prefix=self.place.prefix + begin)
            found = [entry for page in pages for entry in page.get("Contents", ())]
        above = len(self.place.prefix)
        return [
            StoredObject(entry["Key"][above:], entry["Size"], entry["ETag"], entry["LastModified"].isoformat())
            for entry in found
            if not entry["Key"].endswith("/")
        ]

    def folders(self) -> list[str]:
        """Names of the folders right below the place, in order."""
        with self._in_our_words("listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=self.place.prefix, Delimiter="/"
            )
            found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]
        return sorted(prefix[len(self.place.prefix) :].rstrip("/") for prefix in found)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Content and version of a small object; None when there is none."""
        with self._in_our_words(f"read, {name}"):
            try:
                answer = self._client.get_object(Bucket=self.place.bucket, Key=self.place.prefix + name)
                return answer["Body"].read(), answer["ETag"]
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise

    def download(self, one: StoredObject, file: Path) -> None:
        """Write exactly the listed version to `file` (0600), in little memory, going on where a connection broke off.

        Raises:
            TryAgain: the object has changed since it was listed, or did not arrive whole.
        """
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream, self._in_our_words(f"read, {one.name}"):
            digest, is_md5 = hashlib.md5(usedforsecurity=False), True
            for attempt in range(TRIES):
                try:
                    is_md5 = self._stream(one, stream, digest) and is_md5
                    break
                except NO_ANSWER:
                    if attempt == TRIES - 1:
                        raise
                except FlexibleChecksumError:
                    raise self._damaged(one) from None
                except ClientError as error:
                    if code_of(error) in (*NOT_WRITTEN, *ABSENT):
                        raise TryAgain(
                            f"{self.place}/{one.name} changed while it was read; wait until it is complete, then try again"
                        ) from None
                    raise
            expected = one.version.strip('"')
            # The ETag of what was uploaded in parts, or encrypted by another key than the store's, is no MD5.
            if stream.tell() != one.size or (is_md5 and len(expected) == 32 and digest.hexdigest() != expected):
                raise self._damaged(one)

    def _stream(self, one: StoredObject, stream: Any, digest: Any) -> bool:
        """Append what is still missing; whether the version is the MD5 of the content as far as the store tells."""
        position = stream.tell()
        wanted: dict[str, Any] = {"Range": f"bytes={position}-"} if position else {}
        if position and position == one.size:
            return True
        answer = self._client.get_object(Bucket=self.place.bucket, Key=self.place.prefix + one.name, IfMatch=one.version, **wanted)
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            stream.write(chunk)
            digest.update(chunk)
        return answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer

    def _damaged(self, one: StoredObject) -> TryAgain:
        return TryAgain(f"{self.place}/{one.name} did not arrive as the store holds it: try again, or have it uploaded again")

    def write(self, name: str, file: Path, **options: Any) -> None:
        """Write a file as an object; the store checks its SHA-256."""
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            stream.seek(0)
            with self._in_our_words(f"written, {name}"):
                self._client.put_object(
                    Bucket=self.place.bucket, Key=self.place.prefix + name, Body=stream, ChecksumSHA256=_base64(digest.digest()), **options
                )

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a small object over whatever is there; the store checks its SHA-256."""
        checksum = _base64(hashlib.sha256(content).digest())
        with self._in_our_words(f"written, {name}"):
            self._client.put_object(Bucket=self.place.bucket, Key=self.place.prefix + name, Body=content, ChecksumSHA256=checksum)

    def write_if(self, name: str, content: bytes, version: str | None, **options: Any) -> bool:
        """Write a small object if it is still at `version`, or is absent when that is None; whether it was written.

        Of several writers that saw the same, the store lets one through.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        checksum = _base64(hashlib.sha256(content).digest())
        with self._in_our_words(f"written, {name}"):
            try:
                self._client.put_object(
                    Bucket=self.place.bucket,
                    Key=self.place.prefix + name,
                    Body=content,
                    ChecksumSHA256=checksum,
                    **condition,
                    **options,
                )
            except ClientError as error:
                if code_of(error) in (*NOT_WRITTEN, *ABSENT):
                    return False
                raise
        return True

    def require_conditional_writes(self, **options: Any) -> None:
        """Let the store refuse a write: some that speak S3 take the condition and write all the same.

        Raises:
            ConfigurationError: it did not refuse.
        """
        if self.write_if(PROBE, PROBE_TEXT, None, **options) and self.write_if(PROBE, PROBE_TEXT, None, **options):
            raise ConfigurationError(
                f"the store of {self.place} writes over what is there although it was asked not to (If-None-Match), so two runs could "
                "both publish: use a store that honours conditional writes"
            )

    def ask(self, operation: str) -> dict[str, Any] | None:
        """The answer of a question about the bucket itself; None when the store has no such thing or does not know the question."""
        with self._in_our_words(f"asked ({operation})"):
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self.place.bucket)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
                if status in (404, 405, 501) and code_of(error) != "NoSuchBucket":
                    return None
                raise
        return answer

    @contextmanager
    def _in_our_words(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            failure = in_our_words(error, self.place, doing)
        else:
            return
        raise failure from None


def _client(settings: ObjectStoreSettings, key: Mapping[str, str]) -> S3Client:
    base = botocore.session.get_session()
    base.register_component("data_loader", DESCRIPTIONS)
    session = boto3.session.Session(
        botocore_session=base,
        aws_access_key_id=key.get("access_key_id"),
        aws_secret_access_key=key.get("secret_access_key"),
        region_name=settings.region,
    )
    other = settings.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return session.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=session.region_name or "us-east-1",
        config=Config(
            signature_version="s3v4",
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": TRIES},
            # Stores that are not Amazon's seldom answer under a name of its own for each bucket, nor know its newest checksums.
            s3={"addressing_style": "path" if other else "auto"},
            request_checksum_calculation="when_required",
        ),
    )


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
