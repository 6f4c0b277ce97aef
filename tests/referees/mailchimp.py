"""A Mailchimp of our own on loopback: keeps one audience, enforces the rules, injects faults, and counts violations.

    python -m tests.referees.mailchimp --port 0

prints its address and a key; point `base_url` of a destination there to try a whole night against it. Every request is held
against the vendor's specification when the file mailchimp-prepared.json.gz stands in the folder that REGULARS_SPECS names
(default: ../shared/specs beside the repository).
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import os
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("429", "bare 403", "html 503", "lost answer", "cut connection")
MOST_FAULTS_IN_A_ROW = 3
Answer = tuple[int, Any]


def specification_file() -> Path | None:
    """The vendor's specification; None when it is not here, so that requests go unchecked against it."""
    file = Path(os.environ.get("REGULARS_SPECS", ROOT.parent / "shared" / "specs")) / "mailchimp-prepared.json.gz"
    return file if file.exists() else None


@cache
def _specification() -> Any:
    """The vendor's specification, ready to judge requests; None where it or the library is missing."""
    file = specification_file()
    if file is None:
        return None
    try:
        from openapi_core import Config, OpenAPI
    except ImportError:
        return None
    return OpenAPI.from_dict(json.loads(gzip.decompress(file.read_bytes())), config=Config(spec_validator_cls=None))


def contact_id(address: str) -> str:
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


@dataclass
class Contact:
    address: str
    status: str
    merge_fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Audience:
    """What the tool holds, what it refuses, and what it saw."""

    audience_id: str = "a1b2c3d4e5"
    name: str = "Newsletter"
    account_id: str = "acc0123456789"
    api_key: str = "0123456789abcdef0123456789abcdef-us1"
    contacts: dict[str, Contact] = field(default_factory=dict)
    merge_fields: dict[str, str] = field(default_factory=lambda: {"FNAME": "text", "LNAME": "text"})
    static_segments: dict[int, tuple[str, set[str]]] = field(default_factory=dict)
    refused_words: dict[str, str] = field(default_factory=dict)
    """contact id → error of the bulk call for it."""
    dropped_silently: set[str] = field(default_factory=set)
    """contact ids that are never put on a segment, without a word."""
    violations: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    """Calls that were carried out and may have changed something."""
    effects: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def add(self, address: str, status: str = "subscribed") -> None:
        self.contacts[contact_id(address)] = Contact(address, status)

    def members_of(self, name: str) -> set[str]:
        """Addresses on the static segment of that name; empty when there is none."""
        ids = next((members for title, members in self.static_segments.values() if title == name), set())
        return {self.contacts[one].address for one in ids}

    def states(self) -> dict[str, str]:
        return {one.address: one.status for one in self.contacts.values()}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Carry out one request; its status and JSON."""
        audience = f"/lists/{self.audience_id}"
        if method == "GET":
            return self._read(path.removeprefix(audience) if path.startswith(audience) else path, path.startswith(audience), query)
        if method == "POST" and path == audience:
            return self._update(query, body)
        if method == "POST" and path == f"{audience}/merge-fields":
            return self._create_field(body)
        if method == "POST" and path == f"{audience}/segments":
            return self._create_segment(body)
        match = re.fullmatch(re.escape(audience) + r"/segments/(\d+)", path)
        if method == "POST" and match and int(match.group(1)) in self.static_segments:
            return self._change_members(int(match.group(1)), body)
        self.violations.append(f"{method} {path} is not among the calls that a sync may make")
        return problem(405, "Method Not Allowed")

    def _read(self, path: str, is_audience: bool, query: dict[str, str]) -> Answer:
        if path in ("", "/"):
            return 200, {"id": self.audience_id, "name": self.name} if is_audience else {"account_id": self.account_id}
        match = re.fullmatch(r"/segments/(\d+)/members", path) if is_audience else None
        if path == "/merge-fields":
            key, entries = "merge_fields", [{"tag": tag, "type": kind} for tag, kind in self.merge_fields.items()]
        elif path == "/segments":
            key, entries = (
                "segments",
                [{"id": number, "name": name, "type": "static"} for number, (name, _) in self.static_segments.items()],
            )
        elif path == "/members":
            archived = query.get("status") == "archived"
            key, entries = "members", [self._member(one) for one, held in self.contacts.items() if (held.status == "archived") == archived]
        elif match and int(match.group(1)) in self.static_segments:
            shown = {
                "subscribed",
                *(state for state in ("cleaned", "unsubscribed", "transactional") if query.get(f"include_{state}") == "true"),
            }
            members = sorted(self.static_segments[int(match.group(1))][1])
            key, entries = "members", [self._member(one) for one in members if self.contacts[one].status in shown]
        else:
            return problem(404, "Resource Not Found")
        return self._page(key, entries, query)

    def _member(self, key: str) -> dict[str, Any]:
        one = self.contacts[key]
        return {"id": key, "email_address": one.address, "status": one.status, "merge_fields": one.merge_fields}

    def _page(self, key: str, entries: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        count, offset = int(query.get("count", 10)), int(query.get("offset", 0))
        wanted = {name.removeprefix(f"{key}.") for name in query["fields"].split(",")} if "fields" in query else None
        shown = [
            {name: value for name, value in one.items() if wanted is None or name in wanted} for one in entries[offset : offset + count]
        ]
        return 200, {key: shown, "total_items": len(entries)}

    def _update(self, query: dict[str, str], body: Any) -> Answer:
        members = body["members"]
        if len(members) > 500:
            return problem(400, "Bad Request")
        if body.get("sync_tags"):
            self.violations.append("sync_tags would replace the shop's own tags")
        created = updated = 0
        errors = []
        seen: set[str] = set()
        for one in members:
            key = contact_id(one["email_address"])
            if "status" in one:
                self.violations.append("status was sent")
            if "status_if_new" not in one or one["status_if_new"] == "subscribed":
                self.violations.append("a new contact would be subscribed")
            if key in seen:
                self.violations.append("a contact stands twice in a batch")
            seen.add(key)
            if any(value is None or value == "" for value in one.get("merge_fields", {}).values()):
                self.violations.append("a null overwrites a field")
            if key in self.refused_words:
                errors.append({"email_address": one["email_address"], "error": self.refused_words[key], "error_code": "ERROR_GENERIC"})
                continue
            held = self.contacts.get(key)
            if held is None:
                held = self.contacts[key] = Contact(one["email_address"], one["status_if_new"])
                created += 1
            elif body.get("update_existing"):
                if held.status not in ("subscribed", "transactional"):
                    self.violations.append(f"a contact in the state {held.status} was written to")
                updated += 1
            else:
                errors.append(
                    {"email_address": one["email_address"], "error": "is already a list member", "error_code": "ERROR_CONTACT_EXISTS"}
                )
                continue
            held.merge_fields |= {tag: value for tag, value in one.get("merge_fields", {}).items() if tag in self.merge_fields}
            self.effects[f"update {key}"] += 1
        return 200, {"total_created": created, "total_updated": updated, "error_count": len(errors), "errors": errors}

    def _create_field(self, body: Any) -> Answer:
        if len(body["tag"]) > 10 or body["tag"] in self.merge_fields:
            return problem(400, "Bad Request")
        if body.get("public", True):
            self.violations.append("a merge field would show on the sign-up form")
        self.merge_fields[body["tag"]] = body["type"]
        return 200, {"tag": body["tag"], "type": body["type"]}

    def _create_segment(self, body: Any) -> Answer:
        if any(name == body["name"] for name, _ in self.static_segments.values()):
            self.violations.append("a static segment was created twice")
            return problem(400, "Bad Request")
        number = 1000 + len(self.static_segments)
        self.static_segments[number] = (body["name"], set())
        return 200, {"id": number, "name": body["name"]}

    def _change_members(self, number: int, body: Any) -> Answer:
        add, remove = ([contact_id(address) for address in body.get(key, [])] for key in ("members_to_add", "members_to_remove"))
        if len(add) > 500 or len(remove) > 500:
            return problem(400, "Bad Request")
        members = self.static_segments[number][1]
        for key in add:
            held = self.contacts.get(key)
            if held is None or key in self.dropped_silently or held.status == "archived":
                continue
            if held.status in ("unsubscribed", "cleaned", "pending"):
                self.violations.append(f"a contact in the state {held.status} was put on a list")
            members.add(key)
            self.effects[f"enter {number} {key}"] += 1
        for key in remove:
            members.discard(key)
            self.effects[f"leave {number} {key}"] += 1
        return 200, {"total_added": len(add), "total_removed": len(remove), "error_count": 0, "errors": []}


def problem(status: int, title: str, detail: str = "") -> Answer:
    return status, {"type": "https://example.com/problem", "title": title, "status": status, "detail": detail, "instance": "referee"}


@dataclass
class Faults:
    """Which requests go wrong, and how, by seed. Never more in a row than a caller with five tries survives."""

    share: float = 0.0
    seed: int = 0
    kinds: tuple[str, ...] = FAULTS
    in_a_row: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - no secret depends on it

    def next(self) -> str | None:
        if self.in_a_row < MOST_FAULTS_IN_A_ROW and self._random.random() < self.share:
            self.in_a_row += 1
            return self._random.choice(self.kinds)
        self.in_a_row = 0
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, audience: Audience, faults: Faults, port: int = 0):
        self.audience, self.faults = audience, faults
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/3.0"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away in the middle is part of the game."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        audience = self.server.audience
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        audience.requests += 1
        fault = self.server.faults.next()
        if fault == "cut connection":
            return self._cut()
        if fault == "429":
            return self._send(429, json.dumps(problem(429, "Too Many Requests")[1]).encode(), "application/problem+json")
        if fault == "bare 403":
            return self._send(403, b"<html>Forbidden</html>", "text/html")
        if fault == "html 503":
            return self._send(503, b"<html>Service Unavailable</html>", "text/html")
        status, answer = self._answer(content)
        if fault == "lost answer":
            return self._cut()
        return self._send(status, json.dumps(answer).encode(), "application/json" if status < 400 else "application/problem+json")

    def _answer(self, content: bytes) -> Answer:
        audience = self.server.audience
        parts = urlsplit(self.path)
        path, query = parts.path.removeprefix("/3.0") or "/", dict(parse_qsl(parts.query))
        expected = "Basic " + base64.b64encode(f"regulars:{audience.api_key}".encode()).decode()
        if self.headers.get("authorization") != expected:
            return problem(401, "API Key Invalid")
        wrong = self._against_specification(parts.path, query, content)
        if wrong:
            audience.violations.append(f"{self.command} {path} is against the specification: {wrong}")
            return problem(400, "Invalid Resource")
        status, answer = audience.answer(self.command, path, query, json.loads(content) if content else None)
        if self.command != "GET" and status < 400:
            audience.writes.append(f"{self.command} {path}")
        return status, answer

    def _against_specification(self, path: str, query: dict[str, str], content: bytes) -> str:
        specification = _specification()
        if specification is None or path in ("/3.0", "/3.0/"):  # the root is not among the paths of the prepared file
            return ""
        from openapi_core.testing import MockRequest

        request = MockRequest(
            "https://server.api.mailchimp.com", self.command.lower(), path, args=query, data=content or None, headers=dict(self.headers)
        )
        try:
            specification.validate_request(request)
        except Exception as error:
            return f"{type(error).__name__}: {error.__cause__ or error}"[:300]
        return ""

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a request's address may hold personal data."""


@contextmanager
def running(audience: Audience, faults: Faults | None = None, port: int = 0) -> Iterator[Server]:
    """The server, answering in a thread of its own."""
    server = Server(audience, faults or Faults(), port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="A Mailchimp on this machine, to try a night against.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--faults", type=float, default=0.0, metavar="SHARE", help="share of requests that go wrong, 0 to 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contacts", type=Path, help="a text file with one address a line: who is subscribed")
    arguments = parser.parse_args()
    audience = Audience()
    for address in arguments.contacts.read_text(encoding="utf-8").split() if arguments.contacts else ():
        audience.add(address)
    with running(audience, Faults(arguments.faults, arguments.seed), arguments.port) as server:
        print(server.url)
        print(f"key {audience.api_key}, account {audience.account_id}, audience {audience.audience_id} ({audience.name!r})", flush=True)
        print(
            "requests are held against the specification" if _specification() else "no specification is here: requests are not checked",
            flush=True,
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{audience.requests} requests, {len(audience.writes)} writes, violations: {audience.violations or 'none'}")


if __name__ == "__main__":
    main()
