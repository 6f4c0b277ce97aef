"""What the warehouse knows after one night and after several: versions, known_at, accounts that add up, once only."""

import json
from datetime import timedelta

import pytest
from ingestion_home import ORDERS, IngestionHome, utc

from ingestion.extraction import MANIFEST
from regulars.errors import RegularsError
from regulars.tables import CANONICAL_TABLES
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import DuckDBWarehouse

HEADER = "id,customer,placed,total\n"
TABLES = [
    *(table.qualified_name for table in CANONICAL_TABLES),
    "private.quarantine",
    "control.exclusions",
    "control.landed_files",
    "control.ingestion_accounts",
]
DAILY = ORDERS.replace("orders.csv", "'orders_*.csv'")
VERSIONS = "select order_id, net_revenue, known_at, is_known_at_assumed, event_at from raw.orders order by known_at, order_id"


def everything(shop: IngestionHome) -> dict[str, list[tuple[object, ...]]]:
    return shop.dump(*TABLES)


def test_first_load_assumes_that_facts_were_known_when_they_happened(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,bert,2026-03-02 02:00:00,1\n")
    shop.run()
    first, future = shop.rows(VERSIONS)
    assert first[2:] == (utc(2026, 2, 1, 9), True, utc(2026, 2, 1, 9))
    # What is dated after the night has been learned by the night.
    assert future[2:] == (shop.at(1)[1], True, utc(2026, 3, 2, 1))


def test_later_nights_know_when_they_learned(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n")
    shop.run(1)
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,10.00\n2,bert,2026-01-05 10:00:00,1\n")
    shop.run(2)
    learned = shop.at(2)[1] + timedelta(microseconds=1)
    assert [(order, str(total), at, assumed) for order, total, at, assumed, _ in shop.rows(VERSIONS)] == [
        ("1", "12.5000", utc(2026, 2, 1, 9), True),
        ("1", "10.0000", learned, False),
        ("2", "1.0000", learned, False),
    ]
    assert shop.account(night=2) == {"rows_read": 2, "rows_loaded": 2, "duplicates_merged": 0, "rows_excluded": 0, "rows_quarantined": 0}


def test_versions_within_one_run_come_in_the_order_of_their_files(shop: IngestionHome) -> None:
    shop.tables(DAILY)
    for day, total in ((1, 12), (2, 11), (3, 11), (4, 12)):
        shop.write(f"orders_{day}.csv", HEADER + f"1,anna,2026-02-01 10:00:00,{total}\n")
    shop.run()
    moment = shop.at(1)[1]
    assert [(int(total), at, assumed) for _, total, at, assumed, _ in shop.rows(VERSIONS)] == [
        (12, utc(2026, 2, 1, 9), True),
        (11, moment + timedelta(microseconds=2), False),
        (12, moment + timedelta(microseconds=4), False),
    ]
    assert shop.account() == {"rows_read": 4, "rows_loaded": 3, "duplicates_merged": 1, "rows_excluded": 0, "rows_quarantined": 0}


def test_content_that_comes_back_is_a_new_version(shop: IngestionHome) -> None:
    for night, total in ((1, 12), (2, 11), (3, 12), (4, 12)):
        shop.write("orders.csv", HEADER + f"1,anna,2026-02-01 10:00:00,{total}\n" + f"# {night}\n")
        shop.run(night)
    assert [int(total) for _, total, *_ in shop.rows(VERSIONS)] == [12, 11, 12]


def test_unchanged_files_are_not_read_again(shop: IngestionHome) -> None:
    shop.tables(DAILY)
    shop.write("orders_1.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n,bad,,\n")
    shop.run(1)
    before = everything(shop)
    shop.write("orders_2.csv", HEADER + "2,bert,2026-03-01 10:00:00,1\n")
    shop.run(2)
    assert shop.account(night=2)["rows_read"] == 1
    shop.run(3)
    after = everything(shop)
    assert shop.account(night=3)["rows_read"] == 0
    assert len(after["raw.orders"]) == len(before["raw.orders"]) + 1
    assert after["private.quarantine"] == before["private.quarantine"]


def test_changed_mapping_reads_again_and_makes_versions_not_rows(shop: IngestionHome) -> None:
    """Also where rows have no key, and equal ones are different ones."""
    keyless = ORDERS.replace("path:", "row_key: none\n        path:").replace("order_id: id, ", "")
    shop.tables(keyless)
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,anna,2026-02-01 10:00:00,12.50\n")
    shop.run(1)
    shop.tables(keyless.replace("total}", "total, coupon_code: id}"))
    shop.run(2)
    assert shop.rows("select count(*), count(distinct record_key), count(distinct order_id) from raw.orders") == [(4, 2, 2)]
    assert shop.rows("select coupon_code from raw.orders where not is_known_at_assumed order by line") == [("1",), ("2",)]


def test_grown_file_without_key_brings_what_is_new(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("path:", "row_key: none\n        path:").replace("order_id: id, ", ""))
    row = "7,anna,2026-02-01 10:00:00,12.50\n"
    shop.write("orders.csv", HEADER + row * 3)
    shop.run(1)
    shop.write("orders.csv", HEADER + row * 3 + "8,bert,2026-02-02,1\n" + row)
    shop.run(2)
    assert shop.account(night=1)["rows_loaded"] == 3
    assert shop.account(night=2) == {"rows_read": 5, "rows_loaded": 2, "duplicates_merged": 3, "rows_excluded": 0, "rows_quarantined": 0}
    assert shop.rows("select count(*), count(distinct record_key), count(distinct order_id) from raw.orders") == [(5, 5, 5)]


def test_everything_can_run_again_with_the_same_result(shop: IngestionHome) -> None:
    shop.tables(ORDERS + '        exclude: [{reason: free, when: "total = 0"}]\n')
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n3,c,2026-02-01,0\n1,anna,2026-02-01 10:00:00,12.5\n")
    shop.extract()
    shop.extract()
    shop.land()
    once = everything(shop)
    assert shop.account() == {"rows_read": 4, "rows_loaded": 1, "duplicates_merged": 1, "rows_excluded": 1, "rows_quarantined": 1}
    shop.land()
    assert everything(shop) == once
    shop.extract()
    shop.land()
    assert everything(shop) == once


def test_run_that_dies_after_its_commit_lands_the_same_again(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n")
    shop.extract()
    with monkeypatch.context() as patched:
        patched.setattr("ingestion.landing.remove_extract", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    once = everything(shop)
    assert len(once["raw.orders"]) == 1
    shop.land()
    assert everything(shop) == once


def test_run_that_dies_in_its_transaction_leaves_nothing(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n")
    shop.extract()
    empty = everything(shop)
    with monkeypatch.context() as patched:
        patched.setattr(DuckDBWarehouse, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    assert everything(shop) == empty
    shop.land()
    assert shop.account()["rows_loaded"] == 1


@pytest.mark.parametrize(
    "lie", [{"rows_read": 3}, {"rows_quarantined": 0, "rows_read": 1}, {"duplicates_merged": 1}, {"excluded": {"r": 1}}]
)
def test_account_that_does_not_add_up_is_refused(shop: IngestionHome, lie: dict[str, object]) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n")
    shop.extract()
    (manifest,) = shop.home.extracts.glob(f"*/shop/{MANIFEST}")
    content = json.loads(manifest.read_text())
    content["tables"]["orders"] |= lie
    manifest.write_text(json.dumps(content))
    empty = everything(shop)
    with pytest.raises(RegularsError, match=r"the account of shop\.orders does not add up, so nothing of the source was landed"):
        shop.land()
    assert everything(shop) == empty


def test_table_that_is_mapped_later_is_a_first_load_of_its_own(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n")
    shop.write("refunds.csv", "refund_id,amount,refunded_at\n1,2.00,2026-02-03\n")
    shop.run(1)
    shop.tables(f"{ORDERS}      refunds: {{}}\n")
    shop.run(2)
    assert shop.rows("select refunded_at, known_at, is_known_at_assumed from raw.refunds") == [
        (utc(2026, 2, 2, 23), utc(2026, 2, 2, 23), True)
    ]
    assert shop.account(night=2)["rows_read"] == 0


def test_extracts_do_not_outlive_their_landing(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n")
    shop.extract(1)
    (folder,) = shop.home.extracts.glob("*/shop")
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.glob("*.parquet"))} == {0}
    shop.close(1)
    shop.extract(2)
    assert not folder.exists()
    shop.land(2)
    assert list(shop.home.extracts.iterdir()) == []


def test_two_sources_keep_their_accounts_apart(shop: IngestionHome) -> None:
    second = f"  second:\n    type: files\n    path: files\n    account_id_prefix: 's-'\n    tables:{ORDERS}"
    shop.sources(f"  shop:\n    type: files\n    path: files\n    tables:{ORDERS}{second}")
    shop.write("orders.csv", HEADER + "1,anna,2026-02-01 10:00:00,12.50\n")
    for source in ("shop", "second"):
        shop.extract(1, source)
    for source in ("shop", "second"):
        shop.land(1, source)
    assert shop.rows("select source, account_id from raw.orders order by source") == [("second", "s-anna"), ("shop", "anna")]
    with open_warehouse(shop.home) as warehouse:
        assert warehouse.rows("select source, rows_loaded from control.ingestion_accounts order by source") == [("second", 1), ("shop", 1)]
