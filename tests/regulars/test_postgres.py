"""The warehouse on a real Postgres server, held to what DuckDB does, and to who may do what."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regulars.__main__ import main
from regulars.errors import ConfigurationError, RegularsError, TryAgain
from regulars.home import Home
from regulars.tables import CUSTOMER_SCORES, EXCLUSIONS, NIGHTS
from regulars.warehouse import Warehouse, open_warehouse, postgres_connection
from regulars.warehouse.postgres_roles import ROLES, roles_sql
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
ROWS = pa.table(
    {
        "text": ["a", None, "", 'q"u,\n\\N\r\n', "\\.", "Zoë 🦆", "\t '' %s ?"],
        "integer": pa.array([0, None, 2**63 - 1, -(2**63), 1, 2, 3], pa.int64()),
        "double": [0.1, None, 1e-300, -0.0, 1 / 3, float("inf"), 5e-324],
        "amount": pa.array([Decimal("1.2300"), None, Decimal("99999999999999.9999"), *[Decimal(-1)] * 4], pa.decimal128(18, 4)),
        "timestamp": pa.array([datetime(1, 1, 1), None, datetime(9999, 12, 31, 23, 59, 59, 999999), *[datetime(2024, 2, 29, 1)] * 4]),
        "date": pa.array([date(1, 1, 1), None, date(9999, 12, 31), *[date(2024, 2, 29)] * 4]),
        "boolean": [True, None, False, True, True, False, False],
        "bytes": [b"\x00\xff", None, b"", b"\\x00", b"\n", b"'", b'"'],
    }
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Home:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "config").mkdir()
    return postgres_server.use_for(Home.at(folder))


@pytest.fixture(params=["duckdb", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A home on each of the engines."""
    if request.param == "postgres":
        return request.getfixturevalue("home")
    (tmp_path / "config").mkdir()
    return Home.at(tmp_path)


def _of_all(warehouse: Warehouse, name: str) -> pa.Table:
    found = warehouse.arrow(f"select {', '.join(ROWS.column_names)} from {name}")
    return found.cast(ROWS.schema)


def test_every_value_comes_back_as_it_went_in(either: Home, tmp_path: Path) -> None:
    files = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for file, part in zip(files, (ROWS.slice(0, 3), ROWS.slice(3)), strict=True):
        pq.write_table(part, file)
    with open_warehouse(either) as warehouse:
        warehouse.load_temporary("loaded", files)
        assert _of_all(warehouse, "loaded").equals(ROWS)
        warehouse.create_temporary("grown", "as select * from loaded")
        warehouse.append_temporary("grown", ROWS.select(reversed(ROWS.column_names)))
        assert _of_all(warehouse, "grown").equals(pa.concat_tables([ROWS, ROWS]))
        assert warehouse.arrow("select text, bytes from loaded where false").num_rows == 0
        row = warehouse.rows("select sum(integer), sum(amount), min(date), min(timestamp) from grown where integer between 1 and 3")
        assert repr(row) == repr([(12, Decimal("-6.0000"), date(2024, 2, 29), datetime(2024, 2, 29, 1))])
        assert warehouse.arrow("select text from grown where text is null").column("text").to_pylist() == [None, None]


def test_batches_are_bounded_and_a_snapshot(either: Home) -> None:
    night = {"source": "shop", "table_name": "orders", "reason": "test"}
    with open_warehouse(either) as warehouse:
        warehouse.execute("delete from control.exclusions")
        warehouse.append(EXCLUSIONS, pa.Table.from_pylist([night | {"run_id": str(n), "rows_excluded": n} for n in range(1000)]))
        batches = warehouse.batches("select rows_excluded from control.exclusions where reason = ?", ["test"], rows_per_batch=300)
        first = next(batches)
        warehouse.execute("delete from control.exclusions")
        rest = list(batches)
    assert len(rest) >= 3 or len(first) > 300  # DuckDB gives whole vectors, whatever it is asked for
    assert sorted(pa.Table.from_batches([first, *rest]).column(0).to_pylist()) == list(range(1000))


def test_a_question_mark_in_a_text_is_no_parameter(either: Home) -> None:
    with open_warehouse(either) as warehouse:
        sql = "select ? as given, '?%' as text, 7 % 4 as rest, 'night-1' like 'night-%' as fits -- 100 % sure?"
        assert warehouse.rows(sql + "\n where ? is null", ["a'b%s", None]) == [("a'b%s", "?%", 3, True)]
        assert warehouse.rows("select '?%'") == [("?%",)]


def test_a_transaction_is_whole_or_nothing(either: Home) -> None:
    scores = pa.table({"as_of_date": pa.array([date(2024, 1, 1)], pa.date32()), "run_id": ["r"], "config_hash": [None]})
    with open_warehouse(either) as warehouse:
        warehouse.execute("delete from control.nights")
        with suppress(ZeroDivisionError), warehouse.transaction():
            warehouse.execute(
                "insert into control.nights (as_of_date, known_until, run_id, config_hash) values ('2024-01-01', '2024-01-01', 'r', 'h')"
            )
            raise ZeroDivisionError
        assert warehouse.rows("select * from control.nights") == []
        with pytest.raises(Exception, match=r"(?i)not.?null"):
            warehouse.append(NIGHTS, scores)
        with pytest.raises(RegularsError, match="no slices"):
            warehouse.replace_slice(NIGHTS, date(2024, 1, 1), [])


def test_a_slice_is_replaced_and_the_others_stay(either: Home) -> None:
    def rows(day: date, *customers: str) -> pa.Table:
        fixed = {"as_of_date": day, "churn_probability": 0.5, "churn_horizon_days": 90, "expected_value": 1.0, "value_horizon_days": 365}
        fixed |= {"value_at_risk": 1.0, "currency": "EUR", "model_version": "m", "scored_by": "formula"}
        return pa.Table.from_pylist([fixed | {"customer_id": customer} for customer in customers])

    first, second = date(2024, 1, 1), date(2024, 1, 2)
    with open_warehouse(either) as warehouse:
        warehouse.execute("delete from scores.customer_scores")
        assert warehouse.replace_slice(CUSTOMER_SCORES, first, [rows(first, "a", "b")]) == 2
        assert warehouse.replace_slice(CUSTOMER_SCORES, second, [rows(second, "c"), rows(second, "d")]) == 2
        assert warehouse.replace_slice(CUSTOMER_SCORES, first, [rows(first, "e")]) == 1
        assert warehouse.rows("select customer_id from scores.customer_scores order by 1") == [("c",), ("d",), ("e",)]
        assert warehouse.exists(CUSTOMER_SCORES)
        assert not warehouse.exists("scores.nothing")


HOLDER = """
from regulars.home import Home
from regulars.warehouse import open_warehouse
with open_warehouse(Home.from_environment()) as warehouse:
    print("held", flush=True)
    warehouse.execute("select pg_sleep(60)")
"""


def test_a_second_writer_waits_and_a_killed_one_leaves_no_lock(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = os.environ | {"REGULARS_HOME": str(home.path), "REGULARS_WAREHOUSE_URL": home.warehouse_url or ""}
    with subprocess.Popen([sys.executable, "-c", HOLDER], env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setattr(postgres_connection, "WRITER_WAIT_SECONDS", 0.1)
        with pytest.raises(TryAgain, match=f"in use by regulars, process {holder.pid}"):
            open_warehouse(home)
        with open_warehouse(home, role="reader", read_only=True) as warehouse:  # who reads need not wait
            assert warehouse.rows("select count(*) from control.builds") == [(0,)]
        holder.send_signal(signal.SIGKILL)
    monkeypatch.setattr(postgres_connection, "WRITER_WAIT_SECONDS", 20.0)
    with open_warehouse(home):
        pass


MAY = {
    "select * from private.customers": {"loader", "builder"},
    "select * from private.quarantine": {"loader"},
    "select * from private.stg_customers": {"builder", "activator"},
    "select * from private.stg_accounts": {"builder"},
    "select * from raw.orders": set(ROLES),
    "select * from features.customer_features": {"builder", "scorer", "activator", "reader"},
    "delete from raw.orders": {"loader"},
    "delete from control.as_of_dates": {"builder"},
    "delete from features.customer_features": {"builder"},
    "delete from scores.customer_scores": {"scorer"},
    "delete from quality.gate_results": {"scorer"},
    "delete from activation.syncs": {"activator"},
    "update control.nights set model_version = ''": {"builder", "scorer"},
    "update control.nights set ledger_position = 1": {"builder", "activator"},
    "update control.nights set known_until = '2024-01-01'": {"builder"},
    "create table features.mine (a text)": {"builder"},
    "create table raw.mine (a text)": set(),
    "create table public.mine (a text)": set(),
    "drop table raw.orders": set(),
    "create role another": set(),
    "copy (select 1) to program 'true'": set(),
    "select pg_read_file('/etc/passwd')": set(),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_its_own_work_and_nothing_else(home: Home, role: str) -> None:
    # Relations as dbt builds them; what dbt itself grants is seen in the whole night.
    with open_warehouse(home, role="builder") as warehouse:
        for name in ("private.stg_customers", "private.stg_accounts", "features.customer_features"):
            warehouse.execute(f"create table if not exists {name} (customer_id text)")
        warehouse.execute("grant select on features.customer_features to regulars_scorer, regulars_activator, regulars_reader")
        warehouse.execute("grant select on private.stg_customers to regulars_activator")
    may, refusals = set(), set()
    with open_warehouse(home, role=role) as warehouse:  # type: ignore[arg-type]
        for statement in MAY:
            try:
                with suppress(ZeroDivisionError), warehouse.transaction():
                    warehouse.execute(statement)
                    may.add(statement)
                    raise ZeroDivisionError  # nothing of it stays
            except RegularsError as error:
                refusals.add(str(error).rpartition(": ")[2].split(" for ")[0])
    works_as = {"builder", "scorer", "activator"} if role == "rebuilder" else {role}
    assert may == {statement for statement, roles in MAY.items() if works_as & roles}
    assert {words for words in refusals if not words.startswith(("permission denied to ", "must be owner of"))} == {"permission denied"}


def test_what_is_wrong_with_the_address_is_told_without_the_password(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    url = home.warehouse_url or ""
    password = url.split(":")[2].split("@")[0]
    for wrong, error, words in (
        (url.replace(password, "Wrong-Pass-1"), ConfigurationError, "does not let us in as regulars@127.0.0.1"),
        (url.rsplit("/", 1)[0] + "/nowhere", ConfigurationError, "does not let us in"),
        (url.replace(url.split(":")[3].split("/")[0], "1"), TryAgain, "does not answer"),
        (f"postgresql//{password}", ConfigurationError, "cannot be read"),
        (f"{url}?colour={password}", ConfigurationError, "cannot be read"),
        ("", ConfigurationError, "nobody said where: set REGULARS_WAREHOUSE_URL"),
    ):
        monkeypatch.setenv("REGULARS_WAREHOUSE_URL", wrong)
        with pytest.raises(error, match=words) as raised:
            open_warehouse(replace(home, warehouse_url=None))
        assert password not in str(raised.value)
        assert "Wrong-Pass" not in str(raised.value)
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
    monkeypatch.setenv("REGULARS_WAREHOUSE_URL", url)
    open_warehouse(replace(home, warehouse_url=None)).__exit__()
    assert password not in repr(home)


def test_an_error_quotes_no_value(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        for statement in ("select cast('ann@example.com' as bigint)", "insert into control.builds values ('ann@example.com', null, '')"):
            with pytest.raises(RegularsError) as raised:
                warehouse.execute(statement)
            assert "ann@example.com" not in str(raised.value)
            assert "SQLSTATE" in str(raised.value)
        with pytest.raises(RegularsError, match=r"raw\.no_orders"):
            warehouse.execute("select * from raw.no_orders")


def test_a_login_without_the_roles_is_told_what_to_do(home: Home, postgres_server: PostgresServer) -> None:
    postgres_server.administer("revoke regulars_reader from regulars")
    try:
        with pytest.raises(ConfigurationError, match="warehouse-roles"):
            open_warehouse(home, role="reader", read_only=True)
    finally:
        postgres_server.administer("grant regulars_reader to regulars")


def test_a_database_in_another_encoding_is_refused(home: Home, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    name = url.rsplit("/", 1)[1]
    postgres_server.administer(f"drop database {name}")
    postgres_server.administer(f"create database {name} owner regulars template template0 encoding 'LATIN1' locale 'C'")
    with pytest.raises(ConfigurationError, match="locale C and UTF8"):
        open_warehouse(replace(home, warehouse_url=url))


def test_a_warehouse_of_an_earlier_version_gets_its_new_columns(home: Home, postgres_server: PostgresServer) -> None:
    database = (home.warehouse_url or "").rsplit("/", 1)[1]
    postgres_server.administer(
        "alter table private.quarantine drop column closed_by; drop table control.builds; comment on schema control is 'earlier'", database
    )
    with open_warehouse(home):
        pass
    with open_warehouse(home, role="loader", read_only=True) as warehouse:
        assert warehouse.rows("select closed_by from private.quarantine") == []
        assert warehouse.exists("control.builds")


def test_the_roles_may_be_made_again(home: Home, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warehouse-roles", "--database", "another_shop"]) == 0
    script = capsys.readouterr().out
    assert script == roles_sql("regulars", "another_shop")
    postgres_server.psql(script)
    postgres_server.psql(script)
    of_compose = (ROOT / "deployment" / "warehouse_database.sql").read_text()
    assert set(roles_sql("regulars", "regulars").splitlines()[1:-1]) <= set(of_compose.splitlines())
    with pytest.raises(SystemExit):
        main(["warehouse-roles", "--login", "x; drop table y"])
