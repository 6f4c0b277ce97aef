"""Single bad rows: set aside with line, reason and bytes; all others are loaded, and the account says so."""

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingestion_home import ORDERS, IngestionHome, count_records

HEADER = b"id,customer,placed,total\n"
GOOD = b"1,anna,2026-02-01 10:00:00,12.50\n"


def landed(shop: IngestionHome, content: bytes) -> list[tuple[int, str, bytes]]:
    """Lands the content and returns what was set aside; every record of it is somewhere."""
    shop.write("orders.csv", content)
    shop.run()
    account = shop.account()
    assert account["rows_read"] == count_records(content)
    assert (
        account["rows_read"]
        == account["rows_loaded"] + account["duplicates_merged"] + account["rows_excluded"] + account["rows_quarantined"]
    )
    assert account["rows_loaded"] == shop.rows("select count(*) from raw.orders")[0][0]
    assert account["rows_quarantined"] == len(shop.quarantine())
    return shop.quarantine()


def test_widened_and_narrowed_rows(shop: IngestionHome) -> None:
    rows = landed(shop, HEADER + GOOD + b"2,bert,2026-02-01,1.00,extra\n3,carl,2026-02-02,1.00\n4,dora\n")
    assert rows == [
        (3, "expected 4 fields as in the header, found 5", b"2,bert,2026-02-01,1.00,extra"),
        (5, "expected 4 fields as in the header, found 2", b"4,dora"),
    ]
    assert shop.rows("select order_id, line from raw.orders order by line") == [("1", 2), ("3", 4)]


def test_file_that_widens_far_below(shop: IngestionHome) -> None:
    content = HEADER + b"".join(b"%d,c%d,2026-02-01,1.00%s\n" % (n, n, b",new" if n >= 20_000 else b"") for n in range(30_000))
    assert len(landed(shop, content)) == 10_000
    assert shop.account()["rows_loaded"] == 20_000
    assert shop.quarantine()[0] == (20_002, "expected 4 fields as in the header, found 5", b"20000,c20000,2026-02-01,1.00,new")
    assert shop.quarantine()[-1][2] == b"29999,c29999,2026-02-01,1.00,new"


def test_unparsable_values(shop: IngestionHome) -> None:
    rows = landed(
        shop,
        HEADER
        + GOOD
        + b"2,bert,31/02/2026,1.00\n"
        + b"3,carl,2026-02-02,12.50 EUR\n"
        + b"4,dora,soon,a lot\n"
        + b",emil,2026-02-02,1.00\n"
        + b"6,frida,infinity,1_000\n"
        + b"7,gerd,2026-02-30,1.00\n",
    )
    a_time = "column placed: expected a time such as 2026-03-01 14:30:00 or 2026-03-01T14:30:00Z"
    an_amount = "column total: expected an amount such as 12.50"
    assert rows == [
        (3, a_time, b"2,bert,31/02/2026,1.00"),
        (4, an_amount, b"3,carl,2026-02-02,12.50 EUR"),
        (5, f"{a_time}; {an_amount}", b"4,dora,soon,a lot"),
        (6, "column id: a value is required", b",emil,2026-02-02,1.00"),
        (7, f"{a_time}; {an_amount}", b"6,frida,infinity,1_000"),
        (8, a_time, b"7,gerd,2026-02-30,1.00"),
    ]
    assert shop.account()["rows_loaded"] == 1


def test_cents_never_vanish_in_whole_numbers(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("net_revenue: total", "net_revenue: total, items_count: items"))
    rows = landed(shop, b"id,customer,placed,total,items\n1,a,2026-02-01,1.005,19.99\n2,b,2026-02-01,1.005,3.0\n3,c,2026-02-01,1e1,1e2\n")
    assert rows == [(2, "column items: expected a whole number such as 12", b"1,a,2026-02-01,1.005,19.99")]
    assert [(str(a), b) for a, b in shop.rows("select net_revenue, items_count from raw.orders order by line")] == [
        ("1.0050", 3),
        ("10.0000", 100),
    ]


def test_line_is_the_first_physical_line(shop: IngestionHome) -> None:
    content = HEADER + b'1,"an\nna",2026-02-01,1\n2,"b\r\ne\rrt",bad,"1\n"\n\n4,dora,2026-02-01,x\n5,e,2026-02-02,5\n'
    rows = landed(shop, content)
    assert [(line, raw) for line, _, raw in rows] == [(4, b'2,"b\r\ne\rrt",bad,"1\n"'), (9, b"4,dora,2026-02-01,x")]
    assert shop.rows("select line, account_id from raw.orders order by line") == [(2, "an\nna"), (10, "e")]
    assert shop.rows("select reason, rows_excluded from control.exclusions") == [("blank row", 1)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(shop: IngestionHome, line_end: bytes) -> None:
    rows = landed(shop, (HEADER + GOOD + b"2,bert,bad,1\n3,carl,2026-02-02,1.00").replace(b"\n", line_end))
    assert [(line, raw) for line, _, raw in rows] == [(3, b"2,bert,bad,1")]
    assert shop.rows("select line from raw.orders order by line") == [(2,), (4,)]


def test_undecodable_bytes_take_their_row_alone(shop: IngestionHome) -> None:
    rows = landed(
        shop, HEADER + GOOD + b"2,j\xf6rg,2026-02-01,1.00\n3,carl\xff,2026-02-02\n4,d\xc3\xb6ra,2026-02-01,1.00\n5,e\0,2026-02-01,1\n"
    )
    undecodable = "expected utf-8 text, found bytes that are none"
    assert rows == [
        (3, undecodable, b"2,j\xf6rg,2026-02-01,1.00"),
        (4, undecodable, b"3,carl\xff,2026-02-02"),
        (6, "expected text, found a NUL byte", b"5,e\0,2026-02-01,1"),
    ]
    assert shop.rows("select account_id from raw.orders order by line") == [("anna",), ("döra",)]


@pytest.mark.parametrize(
    ("encoding", "declared"), [("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le")]
)
def test_declared_encodings(shop: IngestionHome, encoding: str, declared: str) -> None:
    shop.tables(f"{ORDERS}        encoding: {declared}\n")
    shop.write("orders.csv", "id,customer,placed,total\n1,jörg,2026-02-01,1.00\n2,gün,bad,1.00\n".encode(encoding))
    shop.run()
    assert shop.rows("select account_id, line from raw.orders") == [("jörg", 2)]
    expected = "2,gün,bad,1.00".encode(encoding if encoding == "cp1252" else "utf-8")
    assert shop.quarantine()[0][2] == expected


def test_quotes_within_a_field_are_part_of_it(shop: IngestionHome) -> None:
    assert not landed(shop, HEADER + b'1,5" pipe,2026-02-01,1\n2,"6"" pipe",2026-02-01,1\n3,7" pipe,2026-02-01,1\n')
    assert shop.rows("select account_id from raw.orders order by line") == [('5" pipe',), ('6" pipe',), ('7" pipe',)]


def test_raw_bytes_of_a_gzip_are_those_of_its_content(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("orders.csv", "orders.csv.gz"))
    shop.write("orders.csv.gz", gzip.compress(HEADER + GOOD + b"2,bert,bad,1\n"))
    shop.run()
    assert [(line, raw) for line, _, raw in shop.quarantine()] == [(3, b"2,bert,bad,1")]


def test_long_row_keeps_all_its_bytes(shop: IngestionHome) -> None:
    long = b'2,"' + b"x\n" * 500_000 + b'",bad,1'
    rows = landed(shop, HEADER + GOOD + long + b"\n3,carl,2026-02-02,1.00\n")
    assert [(line, raw) for line, _, raw in rows] == [(3, long)]
    assert shop.rows("select line from raw.orders order by line") == [(2,), (500_004,)]


def test_same_key_other_content_names_the_first_line(shop: IngestionHome) -> None:
    rows = landed(shop, HEADER + GOOD + b"2,bert,2026-02-01,1\n1,anna,2026-02-01 10:00:00,99\n2,bert,2026-02-01,1.00\n")
    assert rows == [(4, "the row at line 2 has the same key and another content", b"1,anna,2026-02-01 10:00:00,99")]
    assert shop.account() == {"rows_read": 4, "rows_loaded": 2, "duplicates_merged": 1, "rows_excluded": 0, "rows_quarantined": 1}


def test_declared_key_of_several_columns(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("path:", "row_key: [id, customer]\n        path:"))
    content = HEADER + b"a|b,c,2026-02-01,1\na,b|c,2026-02-01,1\na,,2026-02-01,1\na|b,c,2026-02-01,1\n"
    assert landed(shop, content) == [(4, "column customer: a value is required", b"a,,2026-02-01,1")]
    assert shop.account()["rows_loaded"] == 2
    assert shop.account()["duplicates_merged"] == 1


def test_parquet_rows(shop: IngestionHome) -> None:
    buffer = io.BytesIO()
    table = {
        "id": [1, 2, 3, None],
        "customer": pa.array(["anna", "bert", None, "dora"]).dictionary_encode(),
        "placed": pa.array(["2026-02-01T10:00:00", None, "2025-07-01T10:00:00", "2026-02-01T10:00:00"]).cast(pa.timestamp("us")),
        "total": [12.35, 1.0, float("nan"), 1.0],
    }
    pq.write_table(pa.table(table), buffer, row_group_size=2)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", buffer.getvalue())
    shop.run()
    rows = shop.quarantine()
    assert [(line, reason) for line, reason, _ in rows] == [
        (3, "column placed: a value is required"),
        (4, "column total: expected an amount such as 12.50"),
        (5, "column id: a value is required"),
    ]
    assert json.loads(rows[0][2]) == {"id": "2", "customer": "bert", "placed": None, "total": "1"}
    assert [(a, str(b), str(c), d) for a, b, c, d in shop.rows("select order_id, ordered_at, net_revenue, line from raw.orders")] == [
        ("1", "2026-02-01 09:00:00", "12.3500", 2)
    ]


def test_parquet_times_with_a_zone_are_what_they_are(shop: IngestionHome) -> None:
    buffer = io.BytesIO()
    placed = pa.array(["2026-02-01T10:00:00"]).cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "America/New_York"))
    pq.write_table(pa.table({"id": ["1"], "customer": ["a"], "placed": placed, "total": ["1"]}), buffer)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", buffer.getvalue())
    shop.run()
    assert [str(at) for (at,) in shop.rows("select ordered_at from raw.orders")] == ["2026-02-01 10:00:00"]


def test_header_alone_is_no_row_and_no_error(shop: IngestionHome) -> None:
    assert landed(shop, HEADER) == []
    assert shop.account()["rows_read"] == 0
