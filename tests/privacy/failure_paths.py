"""Ways in which a night fails, tried on a shop of canaries; each leaves the shop as it found it, but for what it wrote into var/."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import yaml

from activation.destination import load_destination
from activation.http_api import HttpApi
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from regulars import dbt
from regulars.command import run_command
from regulars.errors import GateFailed, InputError, TryAgain, Unforeseen
from regulars.run import finish_run, resume_run, step
from regulars.warehouse import open_warehouse
from tests.privacy.canaries import HEADER, PERSON, customer, secret
from tests.privacy.canary_shop import SECRETS, CanaryShop
from tests.referees.mailchimp import Audience, running

AS_OF = date(2026, 3, 1)


class Quoting:
    """The tool, which refuses what is written to it in words that quote it, or lets one wait."""

    def __init__(self, audience: Audience, status: int):
        self._audience, self._status = audience, status
        self.requests = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._audience, name)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "GET":
            return self._audience.answer(method, path, query, body)
        if not self._status:
            time.sleep(1.5)
        return self._status or 200, {"title": f"{PERSON}", "detail": json.dumps(body), "errors": body, "key": self._audience.api_key}


def ingest(shop: CanaryShop) -> None:
    extract_source(shop.home, "shop", AS_OF, "night", {"access_key_id": secret(1), "secret_access_key": secret(2)})
    land_source(shop.home, "shop", AS_OF, "night")


def read_anew(shop: CanaryShop) -> None:
    """Forget this run's extract, so that the files are read once more."""
    shutil.rmtree(shop.home.extracts, ignore_errors=True)
    ingest(shop)


def bad_rows(shop: CanaryShop) -> None:
    ingest(shop)
    with open_warehouse(shop.home) as warehouse:
        assert warehouse.rows("select count(*) from private.quarantine")[0][0] >= 20
        assert warehouse.rows(f"select count(*) from private.customers where email like '{PERSON}%'")[0][0] >= 470


def unreadable_files(shop: CanaryShop) -> None:
    """Without a header, with another one, cut off, in other encodings, in a broken archive, of one bad row."""
    contents: dict[str, bytes] = {
        "no header": (customer(7) + customer(8)).encode(),
        "semicolons": (HEADER.replace(",", ";") + customer(7)).encode(),
        "an address as header": (HEADER.replace("account_id", f"{PERSON}@x.y") + customer(7)).encode(),
        "open quote": (HEADER + customer(7) + f'8,"{PERSON}\n' + customer(9)).encode(),
        "one bad row": (HEADER + customer(7, birth_date=PERSON)).encode(),
        "utf-16": (HEADER + customer(7)).encode("utf-16"),
        "cp1252": (HEADER + customer(7).replace("-anna", "-ännä") + customer(8)).encode("cp1252"),
        "half a gzip": b"\x1f\x8b\x08" + customer(7).encode(),
    }
    file = shop.files / "customers.csv"
    for name, content in contents.items():
        file.write_bytes(content)
        said = shop.attempt(lambda: read_anew(shop), InputError)
        assert said or name in ("cp1252", "one bad row"), f"{name} was read"  # rows of these go to quarantine, where they may
        assert name != "no header" or "not shown, as the first line looks like data" in said
    shop.write_files()


def library_words(shop: CanaryShop) -> None:
    """Errors of the engine, of Arrow, of Python and of HTTP that quote addresses and keys, in a step and in a command."""

    def in_step(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with step(shop.home, "work", "night", AS_OF):
                work()

        return run

    def chained() -> None:
        try:
            raise KeyError(f"{PERSON}001@example.com")
        except KeyError as error:
            raise OSError(f"token {secret(7)}") from error

    def request() -> None:
        url = f"http://127.0.0.1:9/members/{PERSON}%40example.com?key={secret(8)}"
        httpx.post(url, json={"email": f"{PERSON}@example.com"}, headers={"Authorization": f"Bearer {secret(9)}"}).raise_for_status()

    def convert() -> None:
        with open_warehouse(shop.home) as warehouse:
            warehouse.rows("select cast(email as integer) from private.customers")

    for work in (chained, request, convert, lambda: pa.array([PERSON]).cast(pa.int64()), lambda: int(PERSON)):
        shop.fails(in_step(work), Unforeseen)
    assert run_command(chained) == 1


def refused_row(shop: CanaryShop) -> None:
    """The engine refuses a row in words that quote it."""
    with open_warehouse(shop.home) as warehouse:
        warehouse.execute("create unique index one_email on private.customers (city)")
    file = shop.files / "customers.csv"
    file.write_text(file.read_text() + customer(1).replace("1,", "1001,", 1))
    said = shop.fails(lambda: read_anew(shop), Unforeseen)
    assert "ConstraintException at" in said
    with open_warehouse(shop.home) as warehouse:
        warehouse.execute("drop index private.one_email")
    shop.write_files()


def refused_keys(shop: CanaryShop) -> None:
    """Keys that nobody answers to, that stand where none belongs, and a warehouse that does not let us in."""

    def connect(**settings: Any) -> Callable[[], None]:
        def work() -> None:
            shop.send_to(out=settings)
            with step(shop.home, "plan out", "night", AS_OF):
                load_destination(shop.home, "out").connect(
                    shop.home, {"access_key_id": secret(10), "secret_access_key": secret(11)}
                ).target()

        return work

    mailchimp = {"type": "mailchimp", "account_id": "a", "audience_id": "b", "audience_name": "c"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regulars.object_store.TRIES", 1)
        patch.setattr("activation.http_api.TRIES", 1)
        shop.fails(connect(**mailchimp, base_url="http://127.0.0.1:9"), TryAgain)
        shop.fails(connect(**mailchimp, api_key_variable=secret(13)))
        shop.fails(connect(**mailchimp, base_url=f"http://user:{secret(14)}@127.0.0.1:9"))
        shop.fails(connect(type="s3", path="s3://bucket", endpoint_url="http://127.0.0.1:9"), TryAgain)
        shop.fails(connect(type="s3", path=f"s3://user:{secret(15)}@bucket"))
        patch.setenv("MAILCHIMP_API_KEY", secret(12))
        shop.fails(connect(**mailchimp))
        file = shop.home.config / "warehouse.yml"
        file.write_text("engine: postgres\n")
        shop.fails(lambda: ingest(shop), TryAgain)
        patch.setenv("REGULARS_WAREHOUSE_URL", f"postgresql//shop:{secret(16)}@nowhere")
        shop.fails(lambda: ingest(shop))
        file.unlink()
    shop.send_to(lists={"type": "csv_folder"})


def quoting_tool(shop: CanaryShop) -> None:
    """An e-mail tool that refuses contacts in words that quote them."""
    audience = Audience(api_key=SECRETS["MAILCHIMP_API_KEY"])
    body = {"members": [{"email_address": f"{PERSON}001@example.com", "status_if_new": "transactional"}], "update_existing": True}
    for status in (400, 403, 500):
        with running(Quoting(audience, status)) as server:  # type: ignore[arg-type]
            signed = httpx.BasicAuth("regulars", audience.api_key)
            api = HttpApi("Mailchimp", server.url, signed, is_passing=lambda answer: answer.status_code >= 500)

            def work(api: HttpApi = api) -> None:
                with step(shop.home, "push newsletter", "night", AS_OF):
                    api.call("POST", f"/lists/{audience.audience_id}", body=body, tries=1)

            assert f"HTTP {status}" in shop.fails(work)
            api.close()


def broken_dbt(shop: CanaryShop) -> None:
    """One model that the data break, one that the SQL breaks, and data tests that find addresses."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        project = Path(folder)
        _write_project(project)
        patch.setattr(dbt, "PROJECT", project)
        run = resume_run(shop.home, "night", AS_OF)
        shop.fails(lambda: dbt.build(run, "staging"), dbt.BuildFailed)
        log = (shop.home.logs / "dbt" / "dbt.log").read_text()
        assert "Conversion Error" in log
        assert "nothing_of_the_kind" in log, "an error of the SQL is told whole"
        assert "fail" in log


def dbt_that_does_not_start(shop: CanaryShop) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt, "OUR_CODE", Path(folder))
        patch.delenv("PYTHONPATH", raising=False)
        run = resume_run(shop.home, "night", AS_OF)
        assert "ModuleNotFoundError" in shop.fails(lambda: dbt.build(run, "staging"), dbt.BuildFailed)


def failed_data_test(shop: CanaryShop) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        project = Path(folder)
        _write_project(project)
        for name in ("number", "unknown"):
            (project / "models" / f"{name}.sql").unlink()
        patch.setattr(dbt, "PROJECT", project)
        run = resume_run(shop.home, "night", AS_OF)
        assert "found" in shop.fails(lambda: dbt.build(run, "staging"), GateFailed)


def _write_project(project: Path) -> None:
    models = project / "models"
    models.mkdir()
    (project / "profiles.yml").write_text((dbt.PROJECT / "profiles.yml").read_text())
    settings = {"name": "regulars", "version": "1.0", "profile": "regulars", "models": {"regulars": {"+tags": ["staging"]}}}
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    number = "{{ config(materialized='table') }}\nselect cast(email as integer) as x from private.customers"
    (models / "number.sql").write_text(number)
    (models / "unknown.sql").write_text("select nothing_of_the_kind from private.customers")
    (models / "good.sql").write_text("{{ config(materialized='ephemeral') }}\nselect city as email from private.customers")
    accepted = {"accepted_values": {"arguments": {"values": ["x"]}}}
    columns = [{"name": "email", "data_tests": ["not_null", accepted]}]
    (models / "good.yml").write_text(yaml.safe_dump({"models": [{"name": "good", "columns": columns}]}))


def published(shop: CanaryShop) -> None:
    finish_run(shop.home, AS_OF, "night")


FailurePath = Callable[[CanaryShop], None]
SHORT: tuple[FailurePath, ...] = (
    bad_rows,
    unreadable_files,
    library_words,
    refused_row,
    refused_keys,
    quoting_tool,
    broken_dbt,
    dbt_that_does_not_start,
    published,
)
"""In this order: the first reads the shop, the last closes its run."""
