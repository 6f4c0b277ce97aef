"""500 personal texts and 20 secrets go through every way to fail: they show up nowhere that is not meant for them."""

import gzip
import json
import logging
import sqlite3
import traceback
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from activation.destination import load_destination
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from regulars import dbt
from regulars.command import run_command
from regulars.dbt_process import speakable
from regulars.errors import GateFailed, InputError, RegularsError, TryAgain, Unforeseen
from regulars.home import Home
from regulars.run import finish_run, resume_run, step
from regulars.warehouse import open_warehouse
from tests.night.conftest import RunDag
from tests.privacy.canaries import FORMS, HEADER, PERSON, PHONE, SECRET, customer, is_in, places, secret

AS_OF = date(2026, 3, 1)
ORDERS = "order_id,account_id,email,ordered_at,net_revenue\n"
ALLOWED = ("shop", "var/extracts", "var/lists", "var/state/pseudonym.key")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A shop whose 100 customers are canaries; some rows are bad, and guests order by e-mail."""
    config, shop = tmp_path / "config", tmp_path / "shop"
    for folder in (config / "segments", shop):
        folder.mkdir(parents=True)
    (config / "shop.yml").write_text("name: Shop\ntime_zone: UTC\ncurrency: EUR\n")
    (config / "prediction.yml").write_text("{}\n")
    (config / "segments" / "loyal.yml").write_text(
        "title: Loyal\nwho: orders_count >= 1\nwhy: W.\noffer: T\npriority: 1\nmembership: lasting\n"
    )
    (config / "sources.yml").write_text("sources:\n  shop: {type: files, path: shop, connection: shop_files}\n")
    (config / "destinations.yml").write_text("destinations:\n  lists: {type: csv_folder}\n")
    good = "".join(map(customer, range(90)))
    bad = "".join(customer(number, birth_date=f"{PERSON}-odd") for number in range(90, 98))
    (shop / "customers.csv").write_text(HEADER + good + bad + f"98,{PERSON}098\n99,{PERSON}099@example.com,too,few\n")
    (shop / "orders.csv").write_text(
        ORDERS + f"1,1,,2026-02-01,5\n2,,{PERSON}-guest@example.com,2026-02-02,5\n3,1,,{PERSON},5\n4,1,,2026-02-01,{PERSON}\n"
    )
    monkeypatch.setenv("REGULARS_CLOCK", "2026-03-01T03:00:00")
    monkeypatch.setenv("REGULARS_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_FILES", json.dumps({"conn_type": "aws", "login": secret(1), "password": secret(2)}))
    for number, name in enumerate(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MAILCHIMP_API_KEY"), start=3):
        monkeypatch.setenv(name, secret(number) + ("-us7" if "MAIL" in name else ""))
    monkeypatch.setenv("REGULARS_WAREHOUSE_URL", f"postgresql://shop:{secret(6)}@127.0.0.1:9/shop")
    return Home.at(tmp_path)


@pytest.fixture
def nothing_shows(home: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Any:
    """Called at the end: no canary in the home, in what was printed or logged, in a folder, or in a text."""
    caplog.set_level(logging.DEBUG)

    def check(*texts: str, folders: tuple[Path, ...] = ()) -> None:
        said = capfd.readouterr()
        for text in (*texts, said.out, said.err, caplog.text):
            assert not is_in(text.encode()), text
        found = places(home.path)
        assert not [file for folder in folders for file in places(folder)]
        assert not [file for file in found if not str(file.relative_to(home.path)).startswith(ALLOWED)]
        assert not [file for file in found if "shop" not in file.parts and file.stat().st_mode & 0o077]

    return check


def failure(work: Callable[[], Any], kind: type[BaseException] = RegularsError) -> str:
    """All that a log would show of the error that the work ends with, code lines left out."""
    with pytest.raises(kind) as caught:
        work()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=False)
    return "".join(shown.format_exception_only()) + "".join(map(str, _chain(shown)))


def _chain(shown: traceback.TracebackException) -> list[str]:
    before = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return [] if before is None else [*before.format_exception_only(), *_chain(before)]


def ingest(home: Home) -> None:
    extract_source(home, "shop", AS_OF, "night", {"access_key_id": secret(1), "secret_access_key": secret(2)})
    land_source(home, "shop", AS_OF, "night")


def break_landing(home: Home) -> None:
    """Let the engine refuse rows in words that quote them."""
    with open_warehouse(home) as warehouse:
        warehouse.execute("create unique index one_person on private.customers (city)")
        warehouse.execute("create unique index one_email on private.customers (email)")
    file = home.path / "shop" / "customers.csv"
    file.write_text(file.read_text() + customer(1).replace("1,", "1001,", 1))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_search_finds_every_form(tmp_path: Path, form: bytes) -> None:
    assert is_in(b"before " + form + b" after")
    assert not is_in(b"qzx canary, 4955 501997, qzx secret")


def test_the_search_opens_what_is_packed(tmp_path: Path, home: Home) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "a.gz").write_bytes(gzip.compress(PERSON.encode()))
    with zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", f"{SECRET} {SECRET}")
    with sqlite3.connect(folder / "c.db") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (?)", [PHONE])
    database.close()
    pq.write_table(pa.table({"x": [PERSON] * 9}), folder / "d.parquet", compression="zstd")
    assert [file.name for file in places(folder)] == ["a.gz", "b.zip", "c.db", "d.parquet"]


def test_bad_rows_are_set_aside_and_told_of_without_their_words(home: Home, nothing_shows: Any) -> None:
    ingest(home)
    with open_warehouse(home) as warehouse:
        assert warehouse.rows("select count(*) from private.quarantine")[0][0] >= 10
        assert warehouse.rows(f"select count(*) from private.customers where email like '{PERSON}%'")[0][0] >= 90
    finish_run(home, AS_OF, "night")
    nothing_shows()


def test_files_that_cannot_be_read_do_not_show_what_they_hold(home: Home, nothing_shows: Any) -> None:
    shown = []
    customers = home.path / "shop" / "customers.csv"
    for content in (
        customer(7) + customer(8),
        HEADER.replace(",", ";") + customer(7),
        HEADER.replace("account_id", f"{PERSON}@x.y") + customer(7),
        HEADER + customer(7) + f'8,"{PERSON}\n' + customer(9),
        HEADER + customer(7, birth_date=PERSON),
    ):
        customers.write_text(content)
        shown.append(failure(lambda: ingest(home), InputError))
    assert "not shown, as the first line looks like data" in shown[0]
    nothing_shows(*shown)


def test_words_of_libraries_end_at_the_step(home: Home, nothing_shows: Any) -> None:
    def in_step(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with step(home, "work", "night", AS_OF):
                work()

        return run

    def chained() -> None:
        try:
            raise KeyError(f"{PERSON}@example.com")
        except KeyError as error:
            raise OSError(f"token {secret(7)}") from error

    def request() -> None:
        url = f"http://127.0.0.1:9/members/{PERSON}%40example.com?key={secret(8)}"
        httpx.post(url, json={"email": f"{PERSON}@example.com"}, headers={"Authorization": f"Bearer {secret(9)}"}).raise_for_status()

    break_landing(home)
    conversions: list[Callable[[], Any]] = [lambda: pa.array([PERSON]).cast(pa.int64()), lambda: int(PERSON)]
    shown = [failure(in_step(work), Unforeseen) for work in (chained, request, *conversions)]
    shown.append(failure(lambda: ingest(home), Unforeseen))
    assert "ConstraintException at" in shown[-1]
    assert run_command(chained) == 1
    nothing_shows(*shown)


def test_keys_do_not_show_when_they_are_refused(home: Home, nothing_shows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def destination(**settings: Any) -> None:
        (home.config / "destinations.yml").write_text(yaml.safe_dump({"destinations": {"out": settings}}))
        with step(home, "plan out", "night", AS_OF):
            load_destination(home, "out").connect(home, {"access_key_id": secret(10), "secret_access_key": secret(11)}).target()

    mailchimp = {"type": "mailchimp", "account_id": "a", "audience_id": "b", "audience_name": "c"}
    monkeypatch.setattr("regulars.object_store.TRIES", 1)
    monkeypatch.setattr("activation.http_api.TRIES", 1)
    shown.append(failure(lambda: destination(**mailchimp, base_url="http://127.0.0.1:9"), TryAgain))
    shown.append(failure(lambda: destination(**mailchimp, api_key_variable=secret(13))))
    shown.append(failure(lambda: destination(**mailchimp, base_url=f"http://user:{secret(14)}@127.0.0.1:9")))
    shown.append(failure(lambda: destination(type="s3", path="s3://bucket", endpoint_url="http://127.0.0.1:9"), TryAgain))
    shown.append(failure(lambda: destination(type="s3", path=f"s3://user:{secret(15)}@bucket")))
    (home.config / "warehouse.yml").write_text("engine: postgres\n")
    shown.append(failure(lambda: ingest(home), TryAgain))
    monkeypatch.setenv("REGULARS_WAREHOUSE_URL", f"postgresql//shop:{secret(16)}@nowhere")
    shown.append(failure(lambda: ingest(home)))
    (home.config / "warehouse.yml").unlink()
    (home.config / "destinations.yml").write_text("destinations:\n  lists: {type: csv_folder}\n")
    nothing_shows(*shown)


def test_dbt_does_not_write_down_what_broke_it(
    home: Home, nothing_shows: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(home)
    project = tmp_path_factory.mktemp("project")
    (project / "models").mkdir()
    (project / "profiles.yml").write_text((dbt.PROJECT / "profiles.yml").read_text())
    (project / "dbt_project.yml").write_text("name: regulars\nversion: '1.0'\nprofile: regulars\nmodels: {regulars: {+tags: [staging]}}\n")
    (project / "models" / "number.sql").write_text(
        "{{ config(materialized='table') }}\nselect cast(email as integer) as x from private.customers"
    )
    (project / "models" / "unknown.sql").write_text("select nothing_of_the_kind from private.customers")
    (project / "models" / "good.sql").write_text("select email from private.customers")
    (project / "models" / "good.yml").write_text(
        "models: [{name: good, columns: [{name: email, data_tests: [unique, {accepted_values: {arguments: {values: [x]}}}]}]}]\n"
    )
    monkeypatch.setattr(dbt, "PROJECT", project)
    run = resume_run(home, "night", AS_OF)
    shown = [failure(lambda: dbt.build(run, "staging"), dbt.BuildFailed)]
    log = (home.logs / "dbt" / "dbt.log").read_text()
    assert "Conversion Error" in log
    assert "nothing_of_the_kind" in log, "an error of the SQL is told whole"
    for name in ("number", "unknown"):
        (project / "models" / f"{name}.sql").unlink()
    shown.append(failure(lambda: dbt.build(run, "staging"), GateFailed))
    assert "found" in shown[-1]
    nothing_shows(*shown, log)


@pytest.mark.parametrize(
    "message",
    [
        f"Runtime Error in model a (b.sql)\n  Conversion Error: Could not convert string '{PERSON}' to INT32\n  LINE 4: x",
        f'Database Error in model a (b.sql)\n  invalid input syntax for type integer: "{PERSON}"\n  LINE 4: x',
        f"Database Error in model a (b.sql)\n  duplicate key value violates a constraint\n  DETAIL:  Key (email)=({PERSON}) there.",
        f"Runtime Error in model a (b.sql)\n  Invalid Input Error: Compilation Error {PERSON}",
    ],
)
def test_messages_of_engines_are_told_without_values(message: str) -> None:
    told = speakable(message)
    assert not is_in(told.encode())
    assert "Error" in told


def test_a_red_night_in_airflow_shows_nothing(home: Home, airflow_home: Home, run_dag: RunDag, nothing_shows: Any) -> None:
    break_landing(home)
    assert run_dag("retention_nightly", AS_OF) == "failed"
    with resume_run(home, "night", AS_OF).state.connection() as connection:
        steps = {row["step"]: row["summary"] for row in connection.execute("select * from steps").fetchall()}
    assert "ConstraintException at" in steps["land shop"]
    nothing_shows(folders=(airflow_home.path,))
