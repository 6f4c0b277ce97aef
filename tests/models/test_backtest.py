"""The order logs that a backtest takes: how each kind of file is read into its throw-away home."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from models.backtest import backtest, throw_away_home
from regulars.errors import InputError
from regulars.warehouse import open_warehouse

CUTOFF = date(2023, 9, 1)
HEADER = "customer_id,ordered_at,net_revenue"
LINES = f"""{HEADER},order_id,category
7,2023-05-01 10:00:00,12.50,a1,"tea, green"
7,2023-05-01 10:00:00,3,a1,
7,2023-05-01 10:00:00,3,a1,
8,2023-09-01 00:00:00,9,a2,coffee
"""


def landed(folder: Path, orders: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    """What the raw table of the throw-away home holds, as it would before the features are built."""
    (folder / "home").mkdir()
    home = throw_away_home(folder / "home", orders, CUTOFF, 60)
    extract_source(home, "shop", CUTOFF, "training")
    land_source(home, "shop", CUTOFF, "training")
    with open_warehouse(home, read_only=True) as warehouse:
        return warehouse.rows(f"select {columns} from raw.{table} order by {columns}")


def file_of(folder: Path, text: str, name: str = "orders.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_rows_with_a_category_are_lines_of_their_order_up_to_the_cutoff(tmp_path: Path) -> None:
    found = landed(tmp_path, file_of(tmp_path, LINES), "order_lines", "order_id, account_id, net_revenue, quantity, category, product_id")
    assert found == [
        ("a1", "7", Decimal(3), 1, None, None),
        ("a1", "7", Decimal(3), 1, None, None),
        ("a1", "7", Decimal("12.5"), 1, "tea, green", "tea, green"),
    ]


def test_without_an_order_id_equal_rows_are_two_orders_and_a_day_is_its_beginning(tmp_path: Path) -> None:
    text = f"\ufeff{HEADER}\n007,2023-05-01,12.50\n007,2023-05-01,12.50\n8,2023-08-31T23:59:59Z,-2\n9,2023-09-01,1\n"
    found = landed(tmp_path, file_of(tmp_path, text), "orders", "account_id, net_revenue")
    assert found == [("007", Decimal("12.5")), ("007", Decimal("12.5")), ("8", Decimal(-2))]


def test_rows_with_the_same_order_id_and_no_category_are_one_order(tmp_path: Path) -> None:
    text = f"{HEADER},order_id\n7,2023-05-01,12.50,a1\n7,2023-05-01,12.50,a1\n7,2023-05-01,12.50,a2\n"
    assert landed(tmp_path, file_of(tmp_path, text), "orders", "order_id") == [("a1",), ("a2",)]


def test_a_parquet_file_is_read_as_a_csv_file_is(tmp_path: Path) -> None:
    orders = tmp_path / "orders.parquet"
    rows = {"customer_id": [7, 7], "ordered_at": [date(2023, 5, 1), CUTOFF], "net_revenue": [12.5, 3.0]}
    pq.write_table(pa.table(rows | {"order_id": ["a1", "a2"], "category": ["tea", None]}), orders)
    assert landed(tmp_path, orders, "order_lines", "order_id, account_id, net_revenue, category") == [("a1", "7", Decimal("12.5"), "tea")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("orders.csv", "", "no column customer_id, ordered_at, net_revenue"),
        ("orders.csv", "customer_id;ordered_at;net_revenue\n7;2023-05-01;12,50\n", "in a header separated by commas"),
        ("orders.csv", f"{HEADER},category\n7,2023-05-01,1,tea\n", "no order_id that says which rows are one order"),
        ("orders.parquet", f"{HEADER}\n", "this is no Parquet file"),
    ],
)
def test_a_file_that_is_no_order_log_is_told_what_it_lacks(tmp_path: Path, name: str, text: str, words: str) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(InputError, match=words) as told:
        backtest(file_of(tmp_path, text, name), CUTOFF, 60, out)
    assert "12,50" not in str(told.value)
    assert not out.exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv: there is no such file"):
        backtest(tmp_path / "nothing.csv", CUTOFF, 60, tmp_path / "out.parquet")
