"""Mailchimp Marketing 3.0: static segments in one audience, and merge fields of the contacts that it has.

A request never holds `status`: nobody is subscribed, unsubscribed, archived or deleted. Contacts that are unsubscribed,
cleaned, archived or pending are left alone.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import httpx
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from activation.comparison import FIELDS
from activation.destination import (
    CONTACTS_SCHEMA,
    MEMBERS_SCHEMA,
    Capabilities,
    Changes,
    DestinationSettings,
    Holdings,
    Recorder,
    SegmentList,
    Target,
)
from activation.http_api import HttpApi, Refused, checked_base_url, json_of
from regulars.errors import ConfigurationError, TryAgain
from regulars.home import Home

PAGE_SIZE = 1000
BATCH_SIZE = 500
LIVE_STATES = ("subscribed", "transactional")
MERGE_TAG = re.compile(r"[A-Z][A-Z0-9_]{0,9}")
SHOPS_OWN_TAGS = ("EMAIL", "FNAME", "LNAME", "ADDRESS", "PHONE", "BIRTHDAY")
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
KEY = re.compile(r"[0-9A-Za-z]+-([a-z]{2,3}[0-9]{1,3})")
LOST_TRIES = 5
REASONS = {
    "compliance": "compliance state",
    "forgotten": "permanently deleted",
    "permanently deleted": "permanently deleted",
    "lot of lists": "on many lists lately",
    "not on": "not in the audience",
}
"""What Mailchimp's error says → the reason that we write down. All of them end the matter for this contact and night."""


class Settings(DestinationSettings):
    type: Literal["mailchimp"]
    account_id: str = Field(description="Id of the account that the key must belong to.", min_length=1)
    audience_id: str = Field(description="Id of the audience.", pattern=r"^[0-9a-zA-Z]{1,20}$")
    audience_name: str = Field(description="Name of that audience, so that a wrong id is noticed.", min_length=1)
    list_prefix: str = Field(
        default="Regulars: ", description="Stands before a segment's title in the name of its static segment.", max_length=30
    )
    fields: dict[str, str] = Field(
        default={"CHURN_RISK": "churn_probability", "EXP_VALUE": "expected_value", "VALUE_RISK": "value_at_risk"},
        description="Merge tag → our column.",
    )
    create_contacts: bool = Field(default=False, description="Create contacts that the audience does not have, as transactional ones.")
    api_key_variable: str = Field(default="MAILCHIMP_API_KEY", description="Environment variable that holds the API key.")
    base_url: str | None = Field(default=None, description="Address of the API; by default the one that the key names.")

    @field_validator("fields")
    @classmethod
    def _can_be_written(cls, fields: dict[str, str]) -> dict[str, str]:
        for tag, column in fields.items():
            if not MERGE_TAG.fullmatch(tag) or tag in SHOPS_OWN_TAGS:
                raise ValueError(
                    f"{tag!r} is not usable: expected at most 10 capitals, digits and underscores, and none of the shop's own tags"
                )
            if column not in FIELDS:
                raise ValueError(f"{column!r} is not a column that can be sent; expected one of: {', '.join(FIELDS)}")
        return fields

    @field_validator("api_key_variable")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not VARIABLE_NAME.fullmatch(name):
            raise ValueError("expected the name of an environment variable, and not the key itself")
        return name

    @field_validator("base_url")
    @classmethod
    def _may_get_the_key(cls, url: str | None) -> str | None:
        return url if url is None else checked_base_url(url)

    def secret_variables(self) -> dict[str, str]:
        return {"api_key": self.api_key_variable}

    def mapped_fields(self) -> dict[str, str]:
        return dict(self.fields)


class Destination:
    """See `activation.destination.Destination`."""

    # Mailchimp names a contact by the MD5 of its address in lower case.
    capabilities = Capabilities(channels=frozenset({"email"}), mails=True, contact_key="md5(lower(trim(address)))")
    is_own = False

    def __init__(self, settings: Settings, _home: Home, secrets: Mapping[str, str]):
        self._settings = settings
        self._api = HttpApi(
            "Mailchimp", _base_url(settings, secrets["api_key"]), httpx.BasicAuth("regulars", secrets["api_key"]), is_passing=_is_passing
        )
        self._audience = f"/lists/{settings.audience_id}"

    @property
    def creates_contacts(self) -> bool:
        return self._settings.create_contacts

    def pinned(self) -> Target:
        return Target(self._settings.account_id, self._settings.audience_id, self._settings.audience_name)

    def target(self) -> Target:
        account = self._api.call("GET", "/", query={"fields": "account_id"})
        try:
            audience = self._api.call("GET", self._audience, query={"fields": "id,name"})
        except Refused as refused:
            if refused.status != 404:
                raise
            raise ConfigurationError(
                f"the account {account['account_id']!r} has no audience {self._settings.audience_id!r}; correct audience_id"
            ) from None
        return Target(account["account_id"], audience["id"], audience["name"])

    def read(self, lists: Sequence[SegmentList]) -> Holdings:
        self._missing_fields()
        ids = self._static_segments(lists)
        contacts = self._contacts()
        members = [MEMBERS_SCHEMA.empty_table()]
        for one in lists:
            if one.segment in ids:
                members += self._members(one.segment, ids[one.segment])
        return Holdings(frozenset(ids), pa.concat_tables(members), contacts)

    def push(self, changes: Changes, record: Recorder) -> str:
        calls = 0
        refused: set[str] = set()
        if changes.update.num_rows:
            self._create_missing_fields()
            for batch in _batches(changes.update):
                reasons = self._update(batch)
                refused |= reasons.keys()
                record("update", "", batch, reasons)
                calls += 1
        ids = self._static_segments(changes.lists)
        for one in changes.lists:
            entering, leaving = (_of(table, one.segment, refused) for table in (changes.enter, changes.leave))
            if entering.num_rows and one.segment not in ids:
                ids[one.segment] = self._create_static_segment(one)
            for start in range(0, max(entering.num_rows, leaving.num_rows), BATCH_SIZE):
                added, removed = entering.slice(start, BATCH_SIZE), leaving.slice(start, BATCH_SIZE)
                reasons = self._change_members(ids[one.segment], added, removed)
                record("enter", one.segment, added, _about(added, reasons))
                record("leave", one.segment, removed, _about(removed, reasons))
                calls += 1
        return f"{calls} calls" if calls else "nothing to send"

    def close(self) -> None:
        self._api.close()

    def _pages(self, path: str, key: str, query: Mapping[str, str | int]) -> Iterator[list[dict[str, Any]]]:
        offset = 0
        while True:
            page = self._api.call("GET", self._audience + path, query={**query, "count": PAGE_SIZE, "offset": offset})
            yield page[key]
            offset += PAGE_SIZE
            if offset >= page["total_items"] or not page[key]:
                return

    def _contacts(self) -> pa.Table:
        fields = {"fields": "members.id,members.status,total_items"}
        tables = []
        # The plain listing leaves archived contacts out, and one that is written to would come back to life.
        for query in (fields, {**fields, "status": "archived"}):
            for page in self._pages("/members", "members", query):
                live = [one["status"] in LIVE_STATES for one in page]
                tables.append(
                    pa.table([pa.array([one["id"] for one in page], pa.string()), pa.array(live, pa.bool_())], schema=CONTACTS_SCHEMA)
                )
        return pa.concat_tables(tables).group_by("contact_key").aggregate([("is_live", "all")]).rename_columns(CONTACTS_SCHEMA.names)

    def _members(self, segment: str, list_id: int) -> Iterator[pa.Table]:
        every_state = {"include_cleaned": "true", "include_unsubscribed": "true", "include_transactional": "true"}
        query = {**every_state, "fields": "members.id,members.email_address,total_items"}
        for page in self._pages(f"/segments/{list_id}/members", "members", query):
            columns = ([segment] * len(page), [one["id"] for one in page], [one["email_address"] for one in page])
            yield pa.table([pa.array(column, pa.string()) for column in columns], schema=MEMBERS_SCHEMA)

    def _list_name(self, one: SegmentList) -> str:
        return self._settings.list_prefix + one.title

    def _static_segments(self, lists: Sequence[SegmentList]) -> dict[str, int]:
        """Segment → id of its static segment, of those that exist."""
        wanted = {self._list_name(one): one.segment for one in lists}
        found: dict[str, int] = {}
        for page in self._pages("/segments", "segments", {"type": "static", "fields": "segments.id,segments.name,total_items"}):
            for entry in page:
                segment = wanted.get(entry["name"])
                if segment in found:
                    raise ConfigurationError(
                        f"the audience has two static segments named {entry['name']!r}; rename or delete one of them in Mailchimp"
                    )
                if segment is not None:
                    found[segment] = entry["id"]
        return found

    def _create_static_segment(self, one: SegmentList) -> int:
        # Creating is not idempotent: when an answer is lost, look whether it was done before doing it again.
        for _ in range(LOST_TRIES):
            with contextlib.suppress(TryAgain):
                self._api.call("POST", f"{self._audience}/segments", body={"name": self._list_name(one), "static_segment": []}, tries=1)
            ids = self._static_segments([one])
            if one.segment in ids:
                return ids[one.segment]
        raise TryAgain(f"Mailchimp did not create the static segment {self._list_name(one)!r} in {LOST_TRIES} tries; try again later")

    def _missing_fields(self) -> dict[str, str]:
        """Merge tag → type, of those that the audience lacks.

        Raises:
            ConfigurationError: one is there with a type that cannot hold our column.
        """
        wanted = {tag: FIELDS[column][0] for tag, column in self._settings.fields.items()}
        for page in self._pages("/merge-fields", "merge_fields", {"fields": "merge_fields.tag,merge_fields.type,total_items"}):
            for entry in page:
                expected = wanted.pop(entry["tag"], entry["type"])
                if entry["type"] not in (expected, "text"):
                    raise ConfigurationError(
                        f"the merge field {entry['tag']} has the type {entry['type']!r}, not {expected!r}; map another tag in fields"
                    )
        return wanted

    def _create_missing_fields(self) -> None:
        for _ in range(LOST_TRIES):
            missing = self._missing_fields()
            if not missing:
                return
            for tag, kind in missing.items():
                name = self._settings.fields[tag].replace("_", " ").capitalize()
                with contextlib.suppress(TryAgain):
                    self._api.call(
                        "POST", f"{self._audience}/merge-fields", body={"tag": tag, "name": name, "type": kind, "public": False}, tries=1
                    )
        raise TryAgain(
            f"Mailchimp did not create the merge fields {', '.join(missing)} in {LOST_TRIES} tries; it would drop their values silently"
        )

    def _update(self, batch: pa.Table) -> dict[str, str]:
        """Send the contacts' fields; customer_id → reason of those that were refused."""
        members = [
            {
                "email_address": row["address"],
                "status_if_new": "transactional",
                "merge_fields": {tag: row[tag] for tag in self._settings.fields if row[tag] is not None},
            }
            for row in batch.to_pylist()
        ]
        body = {"members": members, "update_existing": True, "sync_tags": False}
        answer = self._api.call("POST", self._audience, query={"skip_merge_validation": "true"}, body=body)
        return _refused(batch, {one.get("email_address"): one.get("error") for one in answer.get("errors", ())})

    def _change_members(self, list_id: int, added: pa.Table, removed: pa.Table) -> dict[str, str]:
        """Put contacts on a static segment and take others off; customer_id → reason of those that were refused."""
        body = {"members_to_add": added["address"].to_pylist(), "members_to_remove": removed["address"].to_pylist()}
        answer = self._api.call("POST", f"{self._audience}/segments/{list_id}", body=body)
        errors = {address: one.get("error") for one in answer.get("errors", ()) for address in one.get("email_addresses", ())}
        return _refused(pa.concat_tables([added, removed]), errors)


def _base_url(settings: Settings, key: str) -> str:
    if settings.base_url is not None:
        return settings.base_url
    match = KEY.fullmatch(key)
    if match is None:
        raise ConfigurationError(
            f"the key in {settings.api_key_variable} is no Mailchimp API key; expected letters, digits, a hyphen and the data centre"
        )
    return f"https://{match.group(1)}.api.mailchimp.com/3.0"


def _is_passing(answer: httpx.Response) -> bool:
    # Mailchimp throttles with 429 or with a bare 403; a 403 with a JSON body is about permission.
    return answer.status_code == 429 or answer.status_code >= 500 or (answer.status_code == 403 and json_of(answer) is None)


def _batches(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, BATCH_SIZE):
        yield table.slice(start, BATCH_SIZE)


def _of(table: pa.Table, segment: str, without: set[str]) -> pa.Table:
    chosen = table.filter(pc.equal(table["segment"], segment))
    return chosen.filter(pc.invert(pc.is_in(chosen["customer_id"], pa.array(sorted(without), pa.string()))))


def _about(rows: pa.Table, reasons: Mapping[str, str]) -> dict[str, str]:
    return {customer_id: reasons[customer_id] for customer_id in rows["customer_id"].to_pylist() if customer_id in reasons}


def _refused(rows: pa.Table, errors: Mapping[Any, Any]) -> dict[str, str]:
    """customer_id → reason, in words of our own, as Mailchimp's quote the address."""
    if not errors:
        return {}
    reasons = {str(address).strip().lower(): str(error).lower() for address, error in errors.items()}
    pairs = zip(rows["customer_id"].to_pylist(), rows["address"].to_pylist(), strict=True)
    return {customer_id: _reason(reasons[address.lower()]) for customer_id, address in pairs if address.lower() in reasons}


def _reason(error: str) -> str:
    return next((reason for words, reason in REASONS.items() if words in error), "refused")
