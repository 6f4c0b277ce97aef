"""Rows in quarantine, read again after the mapping has been mended: what they would have been, once, and never over a newer one."""

import io
import json
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingestion_home import ORDERS, IngestionHome, utc

from ingestion.requeue import requeue_source
from regulars.errors import ConfigurationError, InputError
from regulars.tables import CANONICAL_TABLES
from regulars.warehouse import open_warehouse

HEADER = "id,customer,placed,total\n"
GOOD = "1,anna,2026-02-01 10:00:00,12.50\n"
GERMAN = ORDERS.replace("placed,", "{column: placed, format: ['%Y-%m-%d %H:%M:%S', '%d.%m.%Y']},")
CONTENT = (
    "select order_id, account_id, ordered_at, net_revenue, record_key, content_hash, event_at, file, line from raw.orders order by line"
)
WAITING = "select file, line, reason, raw_bytes from private.quarantine where closed_by is null order by file, line"
KEYLESS = GERMAN.replace("path:", "row_key: none\n        path:").replace("order_id: id, ", "")


def requeue(shop: IngestionHome, night: int, source: str = "shop") -> None:
    requeue_source(shop.home, source, shop.at(night)[0], "night")


def account(shop: IngestionHome, night: int, table: str = "orders") -> tuple[int, ...] | None:
    """read, loaded, merged, excluded, quarantined of the night's requeue; checked to add up."""
    run_id = f"night-{shop.at(night)[0]}-1-requeue"
    rows = shop.rows(
        "select rows_read, rows_loaded, duplicates_merged, rows_excluded, rows_quarantined from control.ingestion_accounts "
        f"where table_name = '{table}' and run_id = '{run_id}'"
    )
    if not rows:
        return None
    (found,) = rows
    assert found[0] == sum(found[1:])
    return found


def waiting_by_run(shop: IngestionHome) -> list[int]:
    """rows_waiting of the orders of each run, the first run first."""
    rows = shop.rows("select rows_waiting from control.ingestion_accounts where table_name = 'orders' order by run_id")
    return [waiting for (waiting,) in rows]


def everything(shop: IngestionHome) -> dict[str, list[tuple[object, ...]]]:
    tables = [
        *(table.qualified_name for table in CANONICAL_TABLES),
        "private.quarantine",
        "control.exclusions",
        "control.ingestion_accounts",
    ]
    return shop.dump(*tables)


def test_good_rows_are_landed_and_bad_ones_wait_on(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + '2,bert,14.02.2026,"2"\n3,"ca\nrl",15.02.2026,3\n4,dora,16.02.2026,many\n5,emil\n')
    shop.run(1)
    assert shop.account()["rows_quarantined"] == 4
    shop.tables(GERMAN)
    requeue(shop, 2)
    assert account(shop, 2) == (4, 2, 0, 0, 2)
    assert shop.rows("select order_id, account_id, ordered_at, line, known_at, is_known_at_assumed from raw.orders where line > 2") == [
        ("2", "bert", utc(2026, 2, 13, 23), 3, shop.at(2)[1] + timedelta(microseconds=500_000), False),
        ("3", "ca\nrl", utc(2026, 2, 14, 23), 4, shop.at(2)[1] + timedelta(microseconds=500_000), False),
    ]
    assert shop.rows(WAITING) == [
        ("orders.csv", 6, "column total: expected an amount such as 12.50", b"4,dora,16.02.2026,many"),
        ("orders.csv", 7, "expected 4 fields as in the header, found 2", b"5,emil"),
    ]
    # The night's own account still has its rows.
    assert shop.rows("select count(*), count(closed_by) from private.quarantine where run_id = 'night-2026-03-01-1'") == [(4, 4)]
    assert shop.rows("select distinct extracted_by, quarantined_at from private.quarantine") == [("night-2026-03-01-1", shop.at(1)[1])]


@pytest.mark.parametrize("mapping", [GERMAN, KEYLESS], ids=["key", "no key"])
def test_same_as_if_the_file_had_been_read_right(shop: IngestionHome, mapping: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also where rows have no key, and an equal one has been landed: reading the file again merges every row."""
    rows = GOOD + "2,bert,14.02.2026,2\n2,bert,14.02.2026,2\n2,bert,2026-02-14 00:00:00,2\n3,carl,15.02.2026,3\n"
    shop.write("orders.csv", HEADER + rows)
    shop.tables(mapping.replace("', '%d.%m.%Y'", "'"))
    shop.run(1)
    assert len(shop.rows(WAITING)) == 3
    shop.tables(mapping)
    requeue(shop, 2)
    # With a key, the night has landed one of the three equal rows already.
    loaded, merged = (1, 2) if mapping is GERMAN else (3, 0)
    assert account(shop, 2) == (3, loaded, merged, 0, 0)
    assert not shop.rows(WAITING)
    before = shop.rows("select count(*), count(distinct record_key), count(distinct order_id) from raw.orders")
    assert before == ([(3, 3, 3)] if mapping is GERMAN else [(5, 5, 5)])
    shop.close(2)
    shop.run(3)
    again = shop.account(night=3)
    assert (again["rows_read"], again["rows_loaded"], again["rows_quarantined"]) == (5, 0, 0)
    assert shop.rows("select count(*), count(distinct record_key), count(distinct order_id) from raw.orders") == before

    with pytest.MonkeyPatch.context() as patched:
        right = IngestionHome(tmp_path_factory.mktemp("right") / "home", patched)
        right.tables(mapping)
        right.write("orders.csv", HEADER + rows)
        right.run(1)
        columns = "record_key, content_hash, event_at, account_id, net_revenue"
        assert shop.rows(f"select {columns} from raw.orders order by 1") == right.rows(f"select {columns} from raw.orders order by 1")


def test_again_in_the_same_run_counts_once(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n3,carl,2026-02-15 00:00:00,drei\n")
    shop.run(1)
    shop.tables(GERMAN)
    requeue(shop, 2)
    once = everything(shop)
    requeue(shop, 2)
    assert everything(shop) == once
    assert account(shop, 2) == (2, 1, 0, 0, 1)
    shop.close(2)
    requeue(shop, 3)
    assert account(shop, 3) == (1, 0, 0, 0, 1)
    assert len(shop.rows(WAITING)) == 1
    assert waiting_by_run(shop) == [1, 0, 0], "bad again: on the account of the run that read it from its file"


def test_in_the_run_that_set_the_rows_aside(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n")
    shop.extract(1)
    shop.land(1)
    shop.tables(GERMAN)
    requeue(shop, 1)
    assert shop.account() == {"rows_read": 2, "rows_loaded": 1, "duplicates_merged": 0, "rows_excluded": 0, "rows_quarantined": 1}
    assert account(shop, 1) == (1, 1, 0, 0, 0)
    assert waiting_by_run(shop) == [0, 0]
    shop.extract(1)
    shop.land(1)
    assert shop.rows("select count(*), count(distinct record_key) from raw.orders") == [(2, 2)]
    assert not shop.rows(WAITING)


def test_nothing_waits(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD)
    shop.run(1)
    before = everything(shop)
    requeue(shop, 2)
    assert everything(shop) == before


def test_reading_the_file_again_closes_what_waited(shop: IngestionHome) -> None:
    """The file as it is now counts, and not a row that has been corrected in it since."""
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n3,carl,15.02.2026,3\n")
    shop.run(1)
    shop.write("orders.csv", HEADER + GOOD + "2,bert,2026-02-14 00:00:00,99\n3,carl,15.02.2026,3\n")
    shop.run(2)
    assert [(file, line) for file, line, *_ in shop.rows(WAITING)] == [("orders.csv", 4)]
    assert waiting_by_run(shop) == [0, 1]
    shop.tables(GERMAN)
    requeue(shop, 3)
    assert account(shop, 3) == (1, 1, 0, 0, 0)
    assert shop.rows("select order_id, cast(net_revenue as double) from raw.orders order by line") == [("1", 12.5), ("2", 99), ("3", 3)]


def test_old_row_is_never_put_over_a_newer_one(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("orders.csv", "'orders_*.csv'"))
    shop.write("orders_1.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n3,carl,15.02.2026,3\n")
    shop.run(1)
    shop.write("orders_2.csv", HEADER + "2,bert,2026-02-14 00:00:00,20\n")
    shop.run(2)
    shop.tables(GERMAN.replace("orders.csv", "'orders_*.csv'"))
    requeue(shop, 3)
    assert account(shop, 3) == (2, 1, 0, 0, 1)
    assert [(line, reason) for _, line, reason, _ in shop.rows(WAITING)] == [
        (3, "the row at line 2 of orders_2.csv has the same key and another content, and has been landed")
    ]
    newest = "select cast(net_revenue as text) from raw.orders where order_id = '2' order by known_at desc"
    assert shop.rows(newest) == [("20.0000",)]


def test_row_of_a_later_file_is_a_newer_version(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("orders.csv", "'orders_*.csv'"))
    shop.write("orders_1.csv", HEADER + "2,bert,2026-02-14 00:00:00,2\n" + GOOD)
    shop.write("orders_2.csv", HEADER + "2,bert,14.02.2026,20\n4,dora,2026-02-01 10:00:00,4\n")
    shop.run(1)
    shop.tables(GERMAN.replace("orders.csv", "'orders_*.csv'"))
    requeue(shop, 2)
    assert account(shop, 2) == (1, 1, 0, 0, 0)
    versions = "select cast(net_revenue as text) from raw.orders where order_id = '2' order by known_at desc"
    assert shop.rows(versions) == [("20.0000",), ("2.0000",)]


def test_two_rows_of_one_reading_with_one_key_contradict_each_other(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + "2,bert,14.02.2026,2\n2,bert,2026-02-14 00:00:00,3\n5,emil,15.02.2026,5\n5,emil,15.02.2026,6\n")
    shop.run(1)
    shop.tables(GERMAN)
    requeue(shop, 2)
    assert account(shop, 2) == (3, 1, 0, 0, 2)
    assert [(line, reason) for _, line, reason, _ in shop.rows(WAITING)] == [
        (2, "the row at line 3 has the same key and another content, and has been landed"),
        (5, "the row at line 4 has the same key and another content"),
    ]


def test_another_encoding(shop: IngestionHome) -> None:
    good = "".join(f"{n},anna,2026-02-01,1\n" for n in range(10, 500))
    shop.write("orders.csv", (HEADER + good).encode() + "2,jörg,2026-02-01,2\n".encode("cp1252"))
    shop.run(1)
    shop.tables(ORDERS + "        encoding: cp1252\n")
    requeue(shop, 2)
    assert shop.rows("select account_id from raw.orders where order_id = '2'") == [("jörg",)]
    assert account(shop, 2) == (1, 1, 0, 0, 0)


def test_wide_encoding(shop: IngestionHome) -> None:
    shop.tables(ORDERS + "        encoding: utf-16\n")
    shop.write("orders.csv", (HEADER + GOOD + "2,jörg,14.02.2026,2\n").encode("utf-16"))
    shop.run(1)
    shop.tables(GERMAN + "        encoding: utf-16\n")
    requeue(shop, 2)
    assert shop.rows("select account_id, line from raw.orders where order_id = '2'") == [("jörg", 3)]


def test_new_rules_and_words_for_nothing(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,test,14.02.2026,2\n")
    shop.run(1)
    shop.tables(ORDERS + "        exclude: [{reason: test orders, when: \"customer = 'test'\"}]\n")
    requeue(shop, 2)
    assert account(shop, 2) == (1, 0, 0, 1, 0)
    assert shop.rows("select reason, rows_excluded from control.exclusions") == [("test orders", 1)]


def test_parquet_rows(shop: IngestionHome) -> None:
    buffer = io.BytesIO()
    texts = pa.array([b"anna", b"b\xff", b"ca\nrl", None], pa.binary())
    placed = ["2026-02-01 10:00:00", "14.02.2026", "15.02.2026", "16.02.2026"]
    pq.write_table(pa.table({"id": ["1", "2", "3", "4"], "customer": texts, "placed": placed, "total": ["1", "2", "3", "4"]}), buffer)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", buffer.getvalue())
    shop.run(1)
    assert [json.loads(raw)["id"] for *_, raw in shop.rows(WAITING)] == ["2", "3", "4"]
    shop.tables(GERMAN.replace("orders.csv", "orders.parquet"))
    requeue(shop, 2)
    assert account(shop, 2) == (3, 2, 0, 0, 1)
    assert shop.rows("select order_id, account_id, line from raw.orders order by line") == [
        ("1", "anna", 2),
        ("3", "ca\nrl", 4),
        ("4", None, 5),
    ]
    assert [(line, reason) for _, line, reason, _ in shop.rows(WAITING)] == [(3, "expected UTF-8 text, found bytes that are none")]


def test_guests_and_cancellations_go_where_the_file_would_have_sent_them(shop: IngestionHome) -> None:
    tables = """
      order_lines:
        path: lines.csv
        row_key: none
        columns: {order_id: id, email: address, ordered_at: DATES, product_id: product, quantity: number, unit_price: price}
        cancellations: {when: number < 0, matching: {within_days: 30}}
"""
    shop.tables(tables.replace("DATES", "placed"))
    header, good = "id,address,placed,product,number,price\n", "1,anna@example.com,2026-02-01,p,2,3.00\n"
    shop.write("lines.csv", header + good + "2,bert@example.com,14.02.2026,p,1,3.00\n3,bert@example.com,15.02.2026,p,-1,3.00\n")
    shop.run(1)
    assert shop.rows("select table_name, mapped_table from private.quarantine order by line") == [
        ("order_lines", "order_lines"), ("refunds", "order_lines"),
    ]  # fmt: skip
    shop.tables(tables.replace("DATES", "{column: placed, format: ['%Y-%m-%d', '%d.%m.%Y']}"))
    requeue(shop, 2)
    assert (account(shop, 2, "order_lines"), account(shop, 2, "refunds"), account(shop, 2, "customers")) == (
        (1, 1, 0, 0, 0), (1, 1, 0, 0, 0), (1, 1, 0, 0, 0),
    )  # fmt: skip
    assert shop.rows("select quantity, cast(amount as text), line from raw.refunds") == [(1, "3.0000", 4)]
    assert shop.rows("select count(*) from private.customers where email = 'bert@example.com'") == [(1,)]
    shop.close(2)
    shop.run(3)
    for table in ("order_lines", "refunds", "customers"):
        assert shop.account(table, 3)["rows_loaded"] == 0


def test_mapping_that_reads_the_rows_as_others_is_refused(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + '2,"be\nrt",14.02.2026,2\n')
    shop.run(1)
    before = everything(shop)
    shop.tables(GERMAN + "        delimiter: ';'\n")
    with pytest.raises(InputError, match=r"^orders\.csv: what waits of it in quarantine cannot be told apart"):
        requeue(shop, 2)
    assert everything(shop) == before
    shop.tables(GERMAN.replace("total}", "sum}"))
    with pytest.raises(InputError, match=r"orders\.csv does not have the columns that sources\.shop\.tables\.orders expects"):
        requeue(shop, 2)
    assert everything(shop) == before


def test_table_that_is_mapped_no_more(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n")
    shop.run(1)
    shop.tables("\n      products: {path: products.csv, columns: {product_id: id}}\n")
    with pytest.raises(
        ConfigurationError, match=r"rows of orders\.csv wait in quarantine for orders, which the source does not give any more"
    ):
        requeue(shop, 2)


def test_warehouse_of_an_earlier_version_gains_the_columns(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n")
    shop.run(1)
    with open_warehouse(shop.home) as warehouse:
        for column in ("mapped_table", "header", "extracted_by", "closed_by"):
            warehouse.execute(f"alter table private.quarantine drop column {column}")
        warehouse.execute("update control.contract set fingerprint = 'an earlier one'")
    shop.tables(GERMAN)
    # What is not known of the old rows cannot be made up: they wait for their file to be read again.
    requeue(shop, 2)
    assert account(shop, 2) is None
    shop.close(2)
    shop.run(3)
    assert not shop.rows(WAITING)


def test_run_that_dies_leaves_nothing_behind(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("orders.csv", HEADER + GOOD + "2,bert,14.02.2026,2\n")
    shop.run(1)
    before = everything(shop)
    shop.tables(GERMAN)
    with monkeypatch.context() as patched:
        patched.setattr("ingestion.requeue.Requeue.in_words", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            requeue(shop, 2)
    assert everything(shop) == before
    assert not list(shop.home.extracts.glob("*/*"))
    requeue(shop, 2)
    assert account(shop, 2) == (1, 1, 0, 0, 0)
