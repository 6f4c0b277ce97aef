"""A place in an object store that speaks S3, as configuration names it: `s3://bucket/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from regulars.loopback import is_loopback
from regulars.yaml_file import Settings

SCHEME = "s3://"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class ObjectPlace:
    """A bucket, and a prefix in it that is empty or ends in a slash."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> ObjectPlace:
        """The place that an `s3://` address names.

        Raises:
            ValueError: it is none.
        """
        bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
        parts = prefix.rstrip("/").split("/") if prefix.strip("/") else []
        if not text.startswith(SCHEME) or not BUCKET.fullmatch(bucket) or any(part in ("", ".", "..") for part in parts):
            raise ValueError("expected s3://bucket or s3://bucket/prefix, with a bucket of lower-case letters, digits, dots and hyphens")
        return cls(bucket, "".join(f"{part}/" for part in parts))

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")


def is_object_place(text: str) -> bool:
    return text.startswith(SCHEME)


def _checked_place(text: str) -> str:
    return str(ObjectPlace.parse(text))


def _checked_endpoint(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("expected a plain address such as https://fra1.digitaloceanspaces.com, without key, path or bucket")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(
            "expected an https:// address, as customers' data must not travel in the open; inside a closed network "
            "set AWS_ENDPOINT_URL_S3 instead"
        )
    return url.rstrip("/")


PlaceText = Annotated[str, AfterValidator(_checked_place)]


class ObjectStoreSettings(Settings):
    """How a store is reached; nothing of it is needed for Amazon's own with a region in the environment."""

    endpoint_url: Annotated[str | None, AfterValidator(_checked_endpoint)] = Field(
        default=None, description="Address of a store that is not Amazon's; default: AWS_ENDPOINT_URL_S3, else Amazon's."
    )
    region: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]+$", description="Region of the bucket; default: AWS_DEFAULT_REGION, else us-east-1."
    )


def store_key(login: str | None, password: str | None) -> dict[str, str]:
    """The secrets of a store, from an Airflow connection: the login is the key's id, the password the key."""
    return {"access_key_id": login, "secret_access_key": password} if login and password else {}
