"""A store that speaks S3, on loopback, with signatures and policies checked."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Bucket:
    """One bucket, with a client that the test looks in and writes with."""

    name: str
    url: str
    client: S3Client

    @property
    def path(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes | str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def listed(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


@dataclass
class ObjectStoreServer:
    """`key_id` and `key` may do everything with S3; `client` uses them."""

    url: str
    key_id: str
    key: str
    client: S3Client
    _iam: Any
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_bucket(self) -> Bucket:
        name = f"shop-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return Bucket(name, self.url, self.client)

    def new_key(self, *allowed: str) -> tuple[str, str]:
        """Key of a user who may do these things alone, such as `s3:GetObject`."""
        return _new_key(self._iam, f"user-{next(self._numbers)}", allowed)


@contextmanager
def running() -> Iterator[ObjectStoreServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, f"{url}/moto-api/data.json")
            with closing(_client("iam", url, "any", "any")) as iam:
                key_id, key = _new_key(iam, "admin", ("s3:*", "iam:*"))
            # From here on every request must be signed.
            httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
            with closing(_client("s3", url, key_id, key)) as client, closing(_client("iam", url, key_id, key)) as iam:
                yield ObjectStoreServer(url, key_id, key, client, iam)
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError("moto's server did not start")


def _new_key(iam: Any, user: str, allowed: tuple[str, ...]) -> tuple[str, str]:
    iam.create_user(UserName=user)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(allowed), "Resource": "*"}]}
    iam.put_user_policy(UserName=user, PolicyName="what", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def _client(service: Any, url: str, key_id: str, key: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
