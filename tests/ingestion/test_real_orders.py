"""The public data sets through the examples' own configuration: every figure of their accounts."""

import csv
import gzip
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from regulars.home import Home
from regulars.warehouse import Warehouse, open_warehouse

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AS_OF = date(2011, 12, 10)
DOUBLED = "stands twice, the two sheets of the workbook overlap from 1 to 9 December 2010"


def landed(example: str, source: str, real_orders: Path, folder: Path) -> Home:
    shutil.copytree(EXAMPLES / example / "config", folder / "config")
    (folder / "config" / "prediction.yml").write_text("{}\n")
    sources = folder / "config" / "sources.yml"
    text = sources.read_text()
    assert "path: ../../../shared/data " in text
    sources.write_text(text.replace("path: ../../../shared/data ", f"path: {real_orders} "))
    home = Home.at(folder)
    extract_source(home, source, AS_OF, "night")
    land_source(home, source, AS_OF, "night")
    return home


@pytest.fixture
def gift_shop(real_orders: Path, tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(landed("online_retail_II", "gift_shop", real_orders, tmp_path)) as warehouse:
        yield warehouse


@pytest.fixture
def cdnow(real_orders: Path, tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(landed("cdnow", "cdnow", real_orders, tmp_path)) as warehouse:
        yield warehouse


def recounted(real_orders: Path) -> Counter[tuple[str, str]]:
    """What becomes of each line, decided line by line without any of our code: (order_lines or refunds, reason or loaded)."""
    charges = {"B", "BANK CHARGES", "AMAZONFEE", "S", "CRUK"}
    fates: Counter[tuple[str, str]] = Counter()
    with gzip.open(real_orders / "online_retail_II.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            code = row["StockCode"]
            if 502_940 <= line <= 525_462:
                assert "2010-12-01" <= row["InvoiceDate"] < "2010-12-10"
                fate = DOUBLED
            elif not row["Customer ID"]:
                fate = "nobody knows who ordered"
            elif Decimal(row["Price"]) <= 0:
                fate = "given away or written off"
            elif row["Invoice"].startswith("A"):
                fate = "adjustment of bad debt"
            elif code in charges or code.startswith(("M_TEST", "ADJUST", "TEST")):
                fate = "charge, test or manual entry, nothing that was bought"
            else:
                fate = "loaded"
            fates["refunds" if row["Invoice"].startswith("C") else "order_lines", fate] += 1
    return fates


def test_online_retail_accounts_for_every_line(gift_shop: Warehouse, real_orders: Path) -> None:
    accounts = gift_shop.rows("select * exclude (run_id, source, rows_waiting) from control.ingestion_accounts order by table_name")
    assert accounts == [("order_lines", 1_047_876, 790_968, 0, 256_908, 0), ("refunds", 19_494, 18_391, 0, 1_103, 0)]
    assert sum(account[1] for account in accounts) == 1_067_370
    excluded = gift_shop.rows("select table_name, reason, rows_excluded from control.exclusions")
    found = {(table, reason): count for table, reason, count in excluded} | {(table, "loaded"): count for table, _, count, *_ in accounts}
    assert found == recounted(real_orders)
    assert sum(count for _, reason, count in excluded if reason == DOUBLED) == 22_523

    lines = "select count(*), sum(net_revenue), count(distinct order_id), count(distinct account_id) from raw.order_lines"
    assert gift_shop.rows(lines) == [(790_968, Decimal("17426587.6070"), 36_894, 5_869)]
    refunds = "select min(quantity), min(amount) > 0, min(match_within_days), max(match_within_days), count(order_id) from raw.refunds"
    assert gift_shop.rows(refunds) == [(1, True, 30, 30, 0)]
    assert gift_shop.rows("select count(distinct record_key), count(distinct line_id) from raw.order_lines") == [(790_968, 790_968)]
    assert gift_shop.rows("select count(*) from raw.order_lines where known_at <> event_at or not is_known_at_assumed") == [(0,)]
    assert str(gift_shop.rows("select min(ordered_at) from raw.order_lines")[0][0]) == "2009-12-01 07:45:00"
    # The last line before the doubled part, and the first one of the second sheet.
    edges = "select line from raw.order_lines where line in (502939, 502940, 525462, 525463) order by line"
    assert gift_shop.rows(edges) == [(502_939,), (525_463,)]


def test_cdnow_keeps_equal_purchases_apart(cdnow: Warehouse) -> None:
    assert cdnow.rows(
        "select rows_read, rows_loaded, duplicates_merged, rows_excluded, rows_quarantined from control.ingestion_accounts"
    ) == [(69_659, 69_659, 0, 0, 0)]
    assert cdnow.rows("select count(distinct account_id), sum(net_revenue), count(distinct order_id), min(currency) from raw.orders") == [
        (23_570, Decimal("2500315.6300"), 69_659, "USD")
    ]
    equal = "count(*) - count(distinct (account_id, ordered_at, items_count, net_revenue))"
    assert cdnow.rows(f"select {equal}, count(*) filter (where net_revenue = 0) from raw.orders") == [(255, 80)]
    assert str(cdnow.rows("select min(ordered_at) from raw.orders")[0][0]) == "1997-01-01 05:00:00"
