"""JSON over HTTP with patience: what every destination with an API needs.

No error quotes a body, a header or a query: they hold addresses and keys.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from regulars import clock
from regulars.errors import ConfigurationError, RegularsError, TryAgain
from regulars.loopback import is_loopback

TRIES = 5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
LONGEST_ASKED_WAIT_SECONDS = 300.0
"""A tool that asks for more patience than this is tried again after it all the same; when it goes on, the night ends with 75."""

SPEAKABLE_TITLES = frozenset(
    {
        "Bad Request",
        "Invalid Action",
        "Invalid Resource",
        "JSON Parse Error",
        "Requested Fields Invalid",
        "Resource Nesting Too Deep",
        "API Key Missing",
        "API Key Invalid",
        "Unauthorized",
        "Forbidden",
        "User Disabled",
        "Wrong Datacenter",
        "Compliance Related",
        "Resource Not Found",
        "Not Found",
        "Method Not Allowed",
        "Invalid Method Override",
        "Conflict",
        "Unprocessable Entity",
        "Member Exists",
        "Member In Compliance State",
        "Forgotten Email Not Subscribed",
        "Too Many Requests",
        "Internal Server Error",
        "Service Unavailable",
    }
)
"""Titles of refusals that may be shown. Any other text may quote what was sent: a title of letters alone may be a name."""


class Refused(RegularsError):
    """The tool understood a request and refused it. `status` is the HTTP status, `title` its words where they are safe to show."""

    def __init__(self, text: str, status: int, title: str):
        super().__init__(text)
        self.status, self.title = status, title


class Passing(Exception):
    """A fault that passes by itself; never leaves this module but as TryAgain. `wait_seconds` is what the tool asked for."""

    def __init__(self, text: str, wait_seconds: float = 0.0):
        super().__init__(text)
        self.wait_seconds = wait_seconds


@cache
def _certificates() -> ssl.SSLContext:
    """Read once a process: it takes as long as many a request."""
    return httpx.create_ssl_context()


class HttpApi:
    """One API under one base address. Requests run one after another.

    Args:
        tool: the tool's name in errors.
        is_passing: whether an answer is worth another try.
    """

    def __init__(
        self,
        tool: str,
        base_url: str,
        authorization: httpx.Auth,
        *,
        is_passing: Callable[[httpx.Response], bool],
        timeout_seconds: float = 120.0,
    ):
        self._tool = tool
        self._is_passing = is_passing
        self._client = httpx.Client(
            base_url=base_url,
            auth=authorization,
            timeout=timeout_seconds,
            verify=_certificates(),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        )

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: Any = None, tries: int = TRIES) -> Any:
        """The JSON of the answer. With `tries=1` for what must not be repeated blindly.

        Raises:
            TryAgain: the tool did not answer properly after all tries.
            ConfigurationError: the tool does not let us in.
            Refused: any other refusal.
        """
        waits = _Waits()
        try:
            for attempt in stamina.retry_context(on=waits, attempts=tries, timeout=None):
                with attempt:
                    return self._once(method, path, query, body)
        except Passing as passing:
            times = f"{tries} times" if tries > 1 else "this time"
            raise TryAgain(
                f"{self._tool} did not answer {method} {path} {times} ({passing}); what it did before is written down, try again later"
            ) from None

    def _once(self, method: str, path: str, query: Mapping[str, str | int] | None, body: Any) -> Any:
        try:
            answer = self._client.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise Passing(type(error).__name__) from None
        if self._is_passing(answer):
            raise Passing(f"HTTP {answer.status_code}", asked_wait(answer))
        content = json_of(answer)
        if answer.is_success and content is not None:
            return content
        title = _title(content)
        what = f"{self._tool} answered {method} {path} with HTTP {answer.status_code}{f' ({title})' if title else ''}"
        if answer.status_code in (401, 403):
            raise ConfigurationError(f"{what}; check that the API key is valid and may do this")
        raise Refused(what, answer.status_code, title)


class _Waits:
    """What the tool asked for, and full jitter on top: anything between nothing and a bound that doubles with each try, so
    that callers do not come back together."""

    def __init__(self) -> None:
        self._bound = FIRST_WAIT_SECONDS

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, Passing):
            return False
        wait = random.uniform(0.0, min(self._bound, LONGEST_WAIT_SECONDS))  # noqa: S311 - no secret depends on it
        self._bound *= 2
        return error.wait_seconds + wait


def asked_wait(answer: httpx.Response) -> float:
    """Seconds that the answer's Retry-After asks for, as a number or as a date, up to a limit; 0 when it asks for nothing."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return min(float(asked), LONGEST_ASKED_WAIT_SECONDS)
    until, now = _moment(asked), _moment(answer.headers.get("date", ""))
    if until is None:
        return 0.0
    # Against the tool's own clock where it tells the time, as ours may differ.
    seconds = (until - (now or clock.now().replace(tzinfo=UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_ASKED_WAIT_SECONDS)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def json_of(answer: httpx.Response) -> Any:
    """The JSON body of an answer; None when it has none."""
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        return answer.json()
    except ValueError:
        return None


def checked_base_url(url: str) -> str:
    """`url` when a key may be sent there: over TLS, or to this very machine.

    Raises:
        ValueError: it is neither.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.username or parts.password or parts.query or parts.fragment or not host:
        raise ValueError("expected a plain address such as https://us1.api.mailchimp.com/3.0, and not one with a key in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("expected an https:// address, as the key must not travel in the open")
    return url.rstrip("/")


def _title(content: Any) -> str:
    title = content.get("title") if isinstance(content, dict) else None
    return title if isinstance(title, str) and title in SPEAKABLE_TITLES else ""
