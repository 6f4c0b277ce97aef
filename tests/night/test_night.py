import csv
import json
import re
import shutil
import stat
from datetime import date
from pathlib import Path

import pytest

from regulars.home import Home
from regulars.progress import failure_file
from regulars.segment import load_segments
from regulars.state import State
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import connect
from tests.night.conftest import CUSTOMERS, FIRST_NIGHT, SECOND_NIGHT, RunDag, tree
from tests.postgres_server import PostgresServer

ADDRESS = re.compile(rb"[a-z0-9._+-]+@example\.(?:com|org)")


def _rows(home: Home, sql: str) -> list[tuple[object, ...]]:
    with open_warehouse(home, read_only=True) as warehouse:
        return warehouse.rows(sql)


def test_the_first_night_fills_every_list_and_says_what_each_customer_is_worth(finished_home: Home) -> None:
    folder = finished_home.lists / "latest"
    segments = [segment.name for segment in load_segments(finished_home)]
    rows = {name: list(csv.DictReader((folder / f"{name}.csv").read_text(encoding="utf-8").splitlines())) for name in segments}
    assert all(rows[name] for name in segments if name != "loyal")
    for row in (row for name in segments for row in rows[name]):
        assert 0 <= float(row["churn_probability"]) <= 1
        assert float(row["expected_value"]) >= 0
        assert (row["email"] != "") <= (row["contact_permission"] == "granted")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["as_of"] == FIRST_NIGHT.isoformat()
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in folder.iterdir())


def test_every_row_of_the_sources_is_accounted_for(finished_home: Home) -> None:
    uneven = _rows(
        finished_home,
        "select * from control.ingestion_accounts where rows_read <> rows_loaded + duplicates_merged + rows_excluded + rows_quarantined",
    )
    assert not uneven
    assert _rows(finished_home, "select sum(rows_loaded) > 0 from control.ingestion_accounts") == [(True,)]


def test_every_customer_with_an_order_is_scored_by_the_model(finished_home: Home) -> None:
    scored = _rows(finished_home, "select count(*), min(scored_by), max(scored_by) from scores.customer_scores")
    known = _rows(finished_home, f"select count(*) from features.customer_features where as_of_date = date '{FIRST_NIGHT}'")
    assert scored == [(*known[0], "blend", "blend")]
    assert 0.8 * CUSTOMERS < int(str(known[0][0])) <= 1.5 * CUSTOMERS


def test_personal_data_stay_behind_their_fence(finished_home: Home) -> None:
    found = _rows(finished_home, "select normalised_email from private.customers where normalised_email is not null")
    addresses = {str(row[0]).encode() for row in found}
    assert len(addresses) > 1_000
    var = finished_home.var
    for place in (var / "logs", var / "models", var / "reports", var / "dbt", var / "state"):
        for name, content in tree(place).items():
            assert not addresses & set(ADDRESS.findall(content.lower())), name
    # The engine compresses texts, so its files are asked and not searched; the search itself must find what is there.
    assert addresses <= _texts(finished_home.warehouse)
    assert not addresses & _texts(finished_home.published_warehouse)


def _texts(file: Path) -> set[bytes]:
    """Everything in any column of a DuckDB file that looks like an address."""
    found: set[bytes] = set()
    with connect(file, read_only=True) as connection:
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            for row in connection.execute(f"select cast(rows as varchar) from {schema}.{table} as rows").fetchall():
                found.update(ADDRESS.findall(str(row[0]).lower().encode()))
    return found


def test_the_same_night_again_changes_nothing(home: Home, run_dag: RunDag) -> None:
    lists, report = tree(home.lists), (home.reports / "latest.html").read_bytes()
    written = {path: path.stat().st_mtime_ns for path in (home.lists / "latest").iterdir()}
    assert run_dag("retention_nightly", FIRST_NIGHT) == "success"
    assert tree(home.lists) == lists
    assert {path: path.stat().st_mtime_ns for path in (home.lists / "latest").iterdir()} == written
    assert (home.reports / "latest.html").read_bytes() == report


@pytest.mark.parametrize(
    ("table", "spoil"),
    [
        ("customers.csv", lambda content: content.replace(b"account_id", b"customer", 1)),
        ("orders.parquet", lambda content: content[: len(content) // 2]),
        ("orders.parquet", None),
    ],
    ids=["renamed column", "half a file", "missing"],
)
def test_a_file_that_cannot_be_read_stops_the_night_and_leaves_the_lists(home: Home, run_dag: RunDag, table: str, spoil: object) -> None:
    file = home.var / "sample_shop" / table
    if spoil is None:
        file.unlink()
    else:
        file.write_bytes(spoil(file.read_bytes()))  # type: ignore[operator]
    lists = tree(home.lists)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "failed"
    assert tree(home.lists) == lists
    assert not _rows(home, f"select 1 from scores.customer_scores where as_of_date = date '{SECOND_NIGHT}'")


def test_a_spoilt_model_stops_the_night_before_it_is_parsed(home: Home, run_dag: RunDag) -> None:
    model = next(home.models.glob("*/churn*.json"))
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    lists = tree(home.lists)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "failed"
    assert tree(home.lists) == lists


def test_features_that_look_like_an_accident_stop_at_the_gate(home: Home, run_dag: RunDag) -> None:
    with open_warehouse(home) as warehouse:
        warehouse.execute("delete from raw.orders where hash(order_id) % 2 = 0")
    lists = tree(home.lists)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "failed"
    assert tree(home.lists) == lists


def test_a_plan_that_looks_like_an_accident_ends_a_night_within_one_process(
    home: Home, run_dag: RunDag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGULARS_PROGRESS", str(tmp_path / "progress"))
    (tmp_path / "progress").touch()
    (home.config / "segments" / "dormant.yml").unlink()
    home.published_warehouse.unlink()
    lists = tree(home.lists)
    assert run_dag("retention_nightly", FIRST_NIGHT) == "failed"
    assert home.published_warehouse.exists(), "what the night found out is there for people all the same"
    assert tree(home.lists) == lists
    failure = json.loads(failure_file(tmp_path / "progress").read_text())
    assert failure["exit_code"] == 3
    assert "its segment is not in the catalogue any more" in failure["message"]
    assert "python -m activation approve" in failure["message"]


def test_nights_are_dated(home: Home) -> None:
    assert _rows(home, "select as_of_date from control.nights") == [(date(2025, 6, 30),)]


def test_a_night_on_postgres_writes_the_same_lists(
    finished_home: Home,
    airflow_home: Home,
    run_dag: RunDag,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same shop, model and secrets of a person's pseudonym and arm; the address comes from an Airflow connection."""
    shop = Home.at(shutil.copytree(finished_home.config, tmp_path / "shop" / "config").parent)
    shutil.copytree(finished_home.var / "sample_shop", shop.var / "sample_shop")
    shutil.copytree(finished_home.models, shop.models)
    shop.private_folder(shop.state.parent)
    shutil.copy(finished_home.state.parent / "pseudonym.key", shop.state.parent)
    with State(finished_home.state).connection() as connection:
        salt = connection.execute("select value from home_keys where name = 'control_salt'").fetchone()[0]
    with State(shop.state).transaction() as connection:
        connection.execute("insert into home_keys values ('control_salt', ?)", [salt])
    url = postgres_server.use_for(shop).warehouse_url or ""
    (shop.config / "warehouse.yml").write_text("engine: postgres\nconnection: warehouse\n")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url.replace("postgresql", "generic"))
    monkeypatch.setenv("REGULARS_HOME", str(shop.path))

    assert run_dag("retention_nightly", FIRST_NIGHT) == "success"

    assert tree(shop.lists) == tree(finished_home.lists)
    for table, key in (
        ("features.customer_features", "customer_id"),
        ("scores.customer_scores", "customer_id"),
        ("segments.segment_memberships", "segment, customer_id"),
        ("segments.plays", "channel, customer_id"),
    ):
        query = f"select * from {table} where as_of_date = date '{FIRST_NIGHT}' order by {key}"
        rows = postgres_server.administer(query, url.rsplit("/", 1)[1])
        assert rows == _rows(finished_home, query), table
        assert rows
    assert not shop.warehouse.exists()
    for folder in (shop.path, airflow_home.path):
        assert not [name for name, content in tree(folder).items() if postgres_server.password.encode() in content]
    # What dbt built is fenced too.
    for role, table in (("scorer", "private.stg_customers"), ("reader", "private.stg_customers"), ("activator", "private.stg_accounts")):
        granted = f"select has_table_privilege('regulars_{role}', '{table}', 'select')"
        assert postgres_server.administer(granted, url.rsplit("/", 1)[1]) == [(False,)]
