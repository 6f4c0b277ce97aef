"""Files that cannot be used as a whole: one clear error each, and nothing of the source is landed."""

import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingestion_home import ORDERS, IngestionHome

from ingestion.source import Extraction
from ingestion.tabular.table_extraction import TableExtraction
from regulars.errors import ConfigurationError, InputError, RegularsError, TryAgain

HEADER = "id,customer,placed,total\n"
ROW = "1,anna,2026-02-01 10:00:00,12.50\n"


def refused(shop: IngestionHome, kind: type[RegularsError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        shop.extract()
    with pytest.raises(InputError, match=r"has not been extracted: run `python -m ingestion extract"):
        shop.land()
    assert shop.rows("select count(*) from raw.orders") == [(0,)]
    assert shop.rows("select count(*) from control.ingestion_accounts") == [(0,)]
    assert shop.rows("select count(*) from control.landed_files") == [(0,)]
    return str(caught.value)


def test_missing_file_names_what_is_there(shop: IngestionHome) -> None:
    shop.write("order.csv", HEADER + ROW)
    text = refused(shop, ConfigurationError)
    assert "sources.shop.tables.orders.path: there is no file orders.csv in " in text
    assert "There are: order.csv. Correct the path, or put the file there" in text


def test_missing_folder(shop: IngestionHome) -> None:
    shop.sources("  shop:\n    type: files\n    path: exports\n    tables:" + ORDERS)
    assert "The folder exports itself is missing." in refused(shop, ConfigurationError)


def test_wrong_delimiter_says_what_stands_there_instead(shop: IngestionHome) -> None:
    shop.write("orders.csv", (HEADER + ROW).replace(",", ";"))
    text = refused(shop)
    assert text.startswith("orders.csv does not have the columns that sources.shop.tables.orders expects. Missing 'id'")
    assert "Found: id;customer;placed;total." in text
    assert "The whole header is one column and holds semicolons: set `delimiter:` to what stands between the columns." in text


def test_renamed_column_is_asked_for(shop: IngestionHome) -> None:
    shop.write("orders.csv", "id,customer,placed_on,total\n" + ROW)
    text = refused(shop)
    assert "Missing 'placed': is it now called 'placed_on'?. Found: id, customer, placed_on, total." in text
    assert "Correct the mapping in config/sources.yml" in text


def test_column_that_stands_twice(shop: IngestionHome) -> None:
    shop.write("orders.csv", "id,customer,placed,total,total\n")
    assert "orders.csv has the column 'total' 2 times: which one does sources.shop.tables.orders mean?" in refused(shop)


def test_empty_file(shop: IngestionHome) -> None:
    shop.write("orders.csv", b"")
    assert refused(shop).startswith("orders.csv is empty, it has not even a header: have the shop export it again")


def test_blank_file(shop: IngestionHome) -> None:
    shop.write("orders.csv", b"\n\n")
    assert refused(shop) == "orders.csv has no header: expected the names of its columns in the first line"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_half_a_gzip(shop: IngestionHome, share: float) -> None:
    rows = "".join(f"{n},c{n * 7919 % 1000},2026-02-01 10:00:00,{n * 31 % 977}.50\n" for n in range(5000))
    whole = gzip.compress((HEADER + rows).encode())
    shop.tables(ORDERS.replace("orders.csv", "orders.csv.gz"))
    shop.write("orders.csv.gz", whole[: int(len(whole) * share)])
    assert refused(shop).startswith("orders.csv.gz is only the first part of a gzip file, it ends in the middle: wait until")


def test_damaged_gzip(shop: IngestionHome) -> None:
    whole = bytearray(gzip.compress((HEADER + ROW * 500).encode(), compresslevel=0))
    whole[len(whole) // 2] ^= 0xFF
    shop.write("orders.csv", bytes(whole))
    assert refused(shop).startswith("orders.csv is a damaged gzip file: it cannot be unzipped")


def test_gzip_of_several_members_is_read_to_its_end(shop: IngestionHome) -> None:
    shop.write("orders.csv", gzip.compress((HEADER + ROW).encode()) + gzip.compress(ROW.replace("1,", "2,", 1).encode()) + b"\0" * 512)
    shop.run()
    assert shop.account()["rows_loaded"] == 2


def test_utf16_mark_in_a_file_that_is_declared_utf8(shop: IngestionHome) -> None:
    shop.write("orders.csv", (HEADER + ROW).encode("utf-16"))
    assert refused(shop) == "orders.csv has the byte order mark of utf-16, and the mapping says utf-8: set encoding: utf-16"


def test_utf16_without_mark(shop: IngestionHome) -> None:
    shop.write("orders.csv", (HEADER + ROW).encode("utf-16-le"))
    assert "holds NUL bytes, so it is no utf-8 text; if it is UTF-16, set encoding: utf-16" in refused(shop)


def test_many_undecodable_rows_mean_another_encoding(shop: IngestionHome) -> None:
    rows = "".join(f"{n},jörg{n},2026-02-01 10:00:00,1.00\n" for n in range(200))
    shop.write("orders.csv", (HEADER + rows).encode("cp1252"))
    text = refused(shop)
    assert text.startswith(
        "orders.csv: 200 of 200 rows hold bytes that are no utf-8, so the file has another encoding: set encoding: cp1252"
    )


@pytest.mark.parametrize(
    ("start", "name"), [(b"PK\x03\x04rest", "a zip archive or an Excel workbook"), (b"PAR1rest", "a Parquet file"), (b"%PDF-1.7", "a PDF")]
)
def test_other_formats_are_named(shop: IngestionHome, start: bytes, name: str) -> None:
    shop.write("orders.csv", start)
    assert refused(shop) == f"orders.csv is {name}, not CSV: export it as CSV, or name the file by what it is"


def test_open_quote_that_swallows_many_rows(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + ROW + '2,"bert,2026-02-01 10:00:00,1.00\n' + ROW * 50_000)
    assert refused(shop).startswith('orders.csv: the row at line 3 opens a quote (") that is never closed')


@pytest.mark.parametrize(
    "last", ['2,"bert,2026-02-01 10:00:00,1.00\n3,carl,2026-02-01 10:00:00,1.00\n', '2,bert,2026-02-01 10:00:00,"1.00\n', '2,bert,x,"']
)
def test_quote_that_is_never_closed(shop: IngestionHome, last: str) -> None:
    shop.write("orders.csv", HEADER + ROW + last)
    assert refused(shop).startswith('orders.csv: the row at line 3 opens a quote (") that is never closed')


def test_row_that_is_too_long_to_be_one(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + ROW + '2,"' + "x" * 9_000_000)
    text = refused(shop)
    assert text.startswith("orders.csv: the row at line 3 or one of the next is longer than 4 MB; is there a quote")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_half_a_parquet_file(shop: IngestionHome, share: float) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], "customer": ["anna"], "placed": ["2026-02-01"], "total": ["1"]}), buffer)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", buffer.getvalue()[: int(buffer.tell() * share)])
    assert refused(shop).startswith("orders.parquet is no Parquet file, or only a part of one")


def test_damaged_parquet_pages(shop: IngestionHome) -> None:
    buffer = io.BytesIO()
    names = [f"account-{n * 7919 % 100_003}" for n in range(20_000)]
    columns = {"id": [str(n) for n in range(20_000)], "customer": names, "placed": ["2026-02-01"] * 20_000, "total": ["1"] * 20_000}
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    damaged = bytearray(buffer.getvalue())
    damaged[2_000:3_000] = bytes(1_000)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", bytes(damaged))
    assert refused(shop).startswith("orders.parquet is no Parquet file, or only a part of one")


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_parquet_file_that_changes_while_it_is_read(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """After it has been looked through: into nothing readable, or into other rows."""

    def content(count: int) -> bytes:
        buffer = io.BytesIO()
        pq.write_table(
            pa.table({"id": ["1", "2", "3"], "customer": ["anna"] * 3, "placed": ["2026-02-01"] * 3, "total": [1, 2, 3]})[:count], buffer
        )
        return buffer.getvalue()

    def changed(self: TableExtraction, extraction: Extraction, judge: Any = TableExtraction._judge) -> None:
        shop.write("orders.parquet", content(rows) if rows else b"PAR1")
        judge(self, extraction)

    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", content(2))
    monkeypatch.setattr(TableExtraction, "_judge", changed)
    with pytest.raises(TryAgain, match=r"orders\.parquet of the source shop changed while it was read"):
        shop.extract()


def test_nested_parquet_column(shop: IngestionHome) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], "customer": [["anna"]], "placed": ["2026-02-01"], "total": ["1"]}), buffer)
    shop.tables(ORDERS.replace("orders.csv", "orders.parquet"))
    shop.write("orders.parquet", buffer.getvalue())
    assert "the column 'customer' of orders.parquet holds lists or records; expected plain values" in refused(shop, ConfigurationError)


def test_one_bad_file_of_two_lands_nothing(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("orders.csv", "'orders_*.csv'"))
    shop.write("orders_1.csv", HEADER + ROW)
    shop.write("orders_2.csv", HEADER.replace("total", "sum") + ROW)
    assert "orders_2.csv does not have the columns" in refused(shop)


def test_errors_hold_no_values(shop: IngestionHome) -> None:
    """What stands in the rows may be personal, and an error goes to logs."""
    shop.tables(ORDERS + '        exclude: [{reason: r, when: "total > 3"}]\n')
    shop.write("orders.csv", HEADER + ROW + '2,"secret@example.com,2026-02-01 10:00:00,1.00\n')
    assert "secret" not in refused(shop)
