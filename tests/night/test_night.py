import csv
import json
import re
import stat
from datetime import date
from pathlib import Path

import pytest

from regulars.home import Home
from regulars.sample_shop_home import export_sample_shop
from regulars.segment import load_segments
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import connect
from tests.night.conftest import CUSTOMERS, FIRST_NIGHT, SECOND_NIGHT, RunDag, tree

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


def test_the_next_night_sends_what_changed_and_an_earlier_one_sends_nothing(home: Home, run_dag: RunDag) -> None:
    export_sample_shop(home, SECOND_NIGHT, CUSTOMERS)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "success"
    moved = _rows(home, f"select sum(entered_count), sum(left_count) from activation.syncs where as_of_date = date '{SECOND_NIGHT}'")[0]
    total = _rows(home, f"select count(*) from segments.segment_memberships where as_of_date = date '{SECOND_NIGHT}'")[0][0]
    assert 0 < int(str(moved[0])) < 0.2 * int(str(total))
    assert (home.lists / "latest").resolve().name == SECOND_NIGHT.isoformat()
    lists = tree(home.lists)
    assert run_dag("retention_nightly", FIRST_NIGHT) == "success"
    assert tree(home.lists) == lists
    assert tree(home.rebuilds / FIRST_NIGHT.isoformat()) == tree(home.lists / FIRST_NIGHT.isoformat())


@pytest.mark.parametrize(
    ("table", "spoil"),
    [
        ("customers.csv", lambda content: content[: len(content) // 2].replace(b",", b";")),
        ("customers.csv", lambda content: content.replace(b"account_id", b"customer", 1)),
        ("customers.csv", lambda content: b""),
        ("customers.csv", lambda content: content.decode().encode("utf-16")),
        ("orders.parquet", lambda content: content[: len(content) // 2]),
        ("orders.parquet", None),
    ],
    ids=["delimiter", "renamed column", "empty", "encoding", "half a file", "missing"],
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


def test_nights_are_dated(home: Home) -> None:
    assert _rows(home, "select as_of_date from control.nights") == [(date(2025, 6, 30),)]
