"""The kinds of bad input, and what was decided for each: refused at the door, set aside with line and reason, or loaded.

Whatever lands is counted a second time by another parser than the one under test, and compared to the last row.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingestion_home import ORDERS, IngestionHome

from regulars.errors import InputError, RegularsError, TryAgain

HEADER = b"id,customer,placed,total\n"
FIRST = b"1,anna,2026-02-01 10:00:00,12.50\n"
LAST = b"9,zoe,2026-02-09 10:00:00,1.00\n"

TIME = "column placed: expected a time such as 2026-03-01 14:30:00 or 2026-03-01T14:30:00Z"
TIME_RANGE = "column placed: expected a time between 1970-01-02 and one day after the run"
AMOUNT = "column total: expected an amount such as 12.50"
AMOUNT_RANGE = "column total: expected an amount below 10^14"
NOT_UTF8 = "expected utf-8 text, found bytes that are none"
BLANK = "blank row"

Landed = dict[str, Any]


def between(*rows: bytes) -> bytes:
    """A file with these rows from line 3 on, between a good first and a good last one."""
    return HEADER + FIRST + b"".join(row + b"\n" for row in rows) + LAST


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    whole = {"id": ["1", "2"], "customer": ["anna", "b"], "placed": ["2026-02-01", "2026-02-02"], "total": ["12.50", "1"]} | columns
    pq.write_table(pa.table(whole), buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Kind:
    """One kind of bad input.

    `refused` begins the error at the door; else `orders` are the loaded (order_id, net_revenue), and `aside` what waits in
    quarantine as (line, reason).
    """

    name: str
    content: bytes
    refused: str = ""
    orders: tuple[tuple[str, str], ...] = (("1", "12.5"), ("9", "1"))
    aside: tuple[tuple[int, str], ...] = ()
    merged: int = 0
    blank: int = 0
    settings: str = ""
    columns: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    file: str = "orders.csv"
    then: dict[str, str] = field(default_factory=dict)

    def mapping(self) -> str:
        text = ORDERS.replace("path: orders.csv", f'path: "{self.file}"').replace("total}", f"total{self.columns}}}")
        return text + (f"        {self.settings}\n" if self.settings else "")


def plus(order_id: str, amount: str) -> tuple[tuple[str, str], ...]:
    return (("1", "12.5"), (order_id, amount), ("9", "1"))


ALL_BAD = "orders.csv: not one of its {} rows can be used, so nothing of it was landed. The commonest reason, of {}: "

KINDS = (
    # How rows and fields are told apart
    Kind("quoted line ends", between(b'2,"b\r\nob",2026-02-01,"2"'), orders=plus("2", "2")),
    Kind("quotes inside a field", between(b'2,5" pipe,2026-02-01,2', b'3,"6"" pipe",bad,2'), orders=plus("2", "2"), aside=((4, TIME),)),
    Kind("a quote that is never closed", between(b'2,"bob,2026-02-01,2'), 'orders.csv: the row at line 3 opens a quote (") that is never'),
    Kind("wrong delimiter", between().replace(b",", b";"), "orders.csv does not have the columns that sources.shop.tables.orders expects"),
    Kind(
        "ragged rows",
        between(b"2,bob,2026-02-01,2,x", b"3,bob"),
        aside=((3, "expected 4 fields as in the header, found 5"), (4, "expected 4 fields as in the header, found 2")),
    ),
    Kind("trailing delimiter on every line", between().replace(b"\n", b",\n")),
    Kind(
        "trailing delimiter below the header",
        HEADER + (FIRST + LAST).replace(b"\n", b",\n"),
        ALL_BAD.format(2, 2) + "expected 4 fields as in the header, found 5. Correct the mapping",
    ),
    Kind("carriage returns as line ends", between(b"2,bob,bad,2").replace(b"\n", b"\r"), aside=((3, TIME),)),
    Kind("line ends of both kinds", HEADER.replace(b"\n", b"\r\n") + FIRST + b"2,bob,bad,2\r\n" + LAST, aside=((3, TIME),)),
    Kind("no line end at the end", between()[:-1]),
    Kind("blank lines", between(b"", b",,,", b"  , ,,"), blank=3),
    Kind(
        "a line of 1 MB",
        between(b"2," + b"x" * 1_000_000 + b",bad,2", b'3,"' + b"y\n" * 500_000 + b'",2026-02-01,3'),
        orders=plus("3", "3"),
        aside=((3, TIME),),
    ),
    Kind(
        "a line of 9 MB",
        between(b'2,"' + b"x" * 9_000_000 + b'",2026-02-01,2'),
        "orders.csv: the row at line 3 or one of the next is longer",
    ),
    # What the bytes are
    Kind("NUL bytes", between(b"2,b\0b,2026-02-01,2"), aside=((3, "expected text, found a NUL byte"),)),
    Kind("a file full of NUL bytes", b"\0" * 5_000, "orders.csv holds NUL bytes, so it is no utf-8 text"),
    Kind("byte order mark", b"\xef\xbb\xbf" + between()),
    Kind(
        "mixed encodings", between(b"2,j\xf6rg,2026-02-01,2", "3,jörg,2026-02-01,3".encode()), orders=plus("3", "3"), aside=((3, NOT_UTF8),)
    ),
    Kind(
        "cp1252 in a file that is said to be utf-8",
        HEADER + b"".join(b"%d,j\xf6rg,2026-02-01,1\n" % n for n in range(50)),
        "orders.csv: 50 of 50 rows hold bytes that are no utf-8, so the file has another encoding: set encoding: cp1252",
    ),
    Kind(
        "cp1252 that is said to be cp1252",
        between(b"2,j\xf6rg,2026-02-01,2"),
        orders=plus("2", "2"),
        settings="encoding: cp1252",
        encoding="cp1252",
    ),
    Kind("utf-16 in a file that is said to be utf-8", between().decode().encode("utf-16"), "orders.csv has the byte order mark of utf-16"),
    Kind(
        "utf-16 that is said to be utf-16",
        between(b"2,bob,bad,2").decode().encode("utf-16"),
        aside=((3, TIME),),
        settings="encoding: utf-16",
        encoding="utf-16",
    ),
    Kind("an Excel workbook", b"PK\x03\x04" + bytes(100), "orders.csv is a zip archive or an Excel workbook, not CSV"),
    # What the file is
    Kind("empty file", b"", "orders.csv is empty, it has not even a header"),
    Kind("header alone", HEADER, orders=()),
    Kind("header without line end", HEADER[:-1], orders=()),
    Kind("no header", FIRST + LAST, "orders.csv does not have the columns that sources.shop.tables.orders expects"),
    Kind("header twice", between(HEADER[:-1]), aside=((3, f"{TIME}; {AMOUNT}"),)),
    Kind("gzip of nothing at all", b"", "orders.csv.gz is empty", file="orders.csv.gz"),
    Kind("gzip of an empty file", gzip.compress(b""), "orders.csv.gz has no header", file="orders.csv.gz"),
    Kind("gzip of garbage", gzip.compress(bytes(range(128, 256)) * 50), "orders.csv.gz does not have the columns", file="orders.csv.gz"),
    Kind("garbage that is called gzip", b"\x1f\x8b" + bytes(range(128, 256)), "orders.csv.gz is a damaged gzip file", file="orders.csv.gz"),
    Kind("half a gzip", gzip.compress(between())[:60], "orders.csv.gz is only the first part of a gzip file", file="orders.csv.gz"),
    Kind(
        "file name with odd characters",
        between(b"2,bob,bad,2"),
        aside=((3, TIME),),
        file="or'ders # ☃ [1]; %s.csv",
        then={"path": "or'ders*"},
    ),
    # What columns there are
    Kind("column twice", between().replace(b"total\n", b"total,total\n"), "orders.csv has the column 'total' 2 times"),
    Kind(
        "column renamed",
        between().replace(b"placed", b"placed_on"),
        "orders.csv does not have the columns that sources.shop.tables.orders expects. Missing 'placed': is it now called 'placed_on'?",
    ),
    Kind(
        "column missing", b"id,customer,total\n1,anna,1\n", "orders.csv does not have the columns that sources.shop.tables.orders expects."
    ),
    Kind(
        "unmapped column twice",
        b"id,customer,placed,total,note,note\n1,anna,2026-02-01,12.50,,\n,,,,x,\n,,,,,\n9,zoe,2026-02-09,1,,\n",
        aside=((3, "column id: a value is required; column placed: a value is required; column total: a value is required"),),
        blank=1,
    ),
    Kind("column more", b"id,customer,placed,note,total\n1,anna,2026-02-01,x,12.50\n9,zoe,2026-02-09,,1\n"),
    Kind("columns in another order", b"total,placed,customer,id\n12.50,2026-02-01,anna,1\n1,2026-02-09,zoe,9\n"),
    # Ids and keys
    Kind("missing ids", between(b",bob,2026-02-01,2"), aside=((3, "column id: a value is required"),)),
    Kind("blanks around ids", between(b" 2 ,\tbob  ,2026-02-01,2", b"2,bob,2026-02-01,2"), orders=plus("2", "2"), merged=1),
    Kind("key twice with the same content", between(b"2,bob,2026-02-01,2", b"2,bob,2026-02-01,2.0"), orders=plus("2", "2"), merged=1),
    Kind(
        "key twice with other content",
        between(b"2,bob,2026-02-01,2", b"2,bob,2026-02-01,3"),
        orders=plus("2", "2"),
        aside=((4, "the row at line 3 has the same key and another content"),),
    ),
    # Amounts and numbers
    Kind("10^12", between(b"2,bob,2026-02-01,1000000000000.0001"), orders=plus("2", "1000000000000.0001")),
    Kind("10^14", between(b"2,bob,2026-02-01,100000000000000", b"3,bob,2026-02-01,-1e99"), aside=((3, AMOUNT_RANGE), (4, AMOUNT_RANGE))),
    Kind(
        "NaN and infinite amounts",
        between(b"2,bob,2026-02-01,NaN", b"3,bob,2026-02-01,inf", b"4,bob,2026-02-01,-Infinity"),
        aside=((3, AMOUNT), (4, AMOUNT), (5, AMOUNT)),
    ),
    Kind(
        "thousands separators",
        between(b'2,bob,2026-02-01,"1,234.50"', b"3,bob,2026-02-01,1 234", b"4,bob,2026-02-01,1_000"),
        aside=((3, AMOUNT), (4, AMOUNT), (5, AMOUNT)),
    ),
    Kind("decimal comma", between(b'2,bob,2026-02-01,"12,50"'), aside=((3, AMOUNT),)),
    Kind(
        "decimal comma in every row",
        HEADER + b'1,bob,2026-02-01,"12,50"\n2,bob,bad,2\n3,bob,2026-02-01,"7,00"\n',
        ALL_BAD.format(3, 2) + AMOUNT,
    ),
    Kind("currency signs", between(b"2,bob,2026-02-01,2 EUR", b"3,bob,2026-02-01,$3"), aside=((3, AMOUNT), (4, AMOUNT))),
    Kind("negative amounts", between(b"2,bob,2026-02-01,-2"), orders=plus("2", "-2")),
    Kind(
        "negative and broken quantities",
        b"id,customer,placed,total,items\n1,anna,2026-02-01,12.5,-3\n2,bob,2026-02-01,1,1.5\n9,zoe,2026-02-01,1,\n",
        columns=", items_count: items",
        aside=((3, "column items: expected a whole number such as 12"),),
    ),
    Kind("missing amount", between(b"2,bob,2026-02-01,"), aside=((3, "column total: a value is required"),)),
    Kind(
        "unknown currency",
        b"id,customer,placed,total,money\n1,anna,2026-02-01,12.5,eur\n2,bob,2026-02-01,1,EUX\n9,zoe,2026-02-01,1,EUR\n",
        columns=", currency: money",
        aside=((3, "column money: expected a currency code of ISO 4217, such as EUR"),),
    ),
    # Dates and times
    Kind(
        "times to come",
        between(b"2,bob,2026-03-02 04:00:01,2", b"3,bob,2026-03-02 03:59:59,3", b"4,bob,9999-12-31,4"),
        orders=plus("3", "3"),
        aside=((3, TIME_RANGE), (5, TIME_RANGE)),
    ),
    Kind(
        "the year 1 and the zero of a program",
        between(b"2,bob,0001-01-01,2", b"3,bob,1970-01-01,3"),
        aside=((3, TIME_RANGE), (4, TIME_RANGE)),
    ),
    Kind(
        "dates in other orders",
        between(b"2,bob,31/01/2026,2", b"3,bob,03/04/2026,3", b"4,bob,1.2.2026,4"),
        aside=((3, TIME), (4, TIME), (5, TIME)),
    ),
    Kind("29 February of a normal year", between(b"2,bob,2026-02-29,2", b"3,bob,2024-02-29,3"), orders=plus("3", "3"), aside=((3, TIME),)),
    Kind("25:00 hours", between(b"2,bob,2026-02-01 25:00:00,2"), aside=((3, TIME),)),
    Kind("infinite times", between(b"2,bob,infinity,2", b"3,bob,-infinity,3"), aside=((3, TIME), (4, TIME))),
    Kind("a time that the clocks skip", between(b"2,bob,2025-03-30 02:30:00,2"), orders=plus("2", "2")),
    # Parquet
    Kind(
        "Parquet with other types",
        parquet(id=[1, 9], total=[12.5, 1.0], placed=pa.array(["2026-02-01", "2026-02-02"]).cast(pa.date32())),
        file="orders.parquet",
    ),
    Kind(
        "Parquet with a flag for an amount",
        parquet(total=[True, False]),
        "orders.parquet: not one of its 2 rows can be used",
        file="orders.parquet",
    ),
    Kind(
        "Parquet with nothing for a value",
        parquet(id=["1", None]),
        orders=(("1", "12.5"),),
        aside=((3, "column id: a value is required"),),
        file="orders.parquet",
    ),
    Kind("Parquet cut short", parquet()[:-20], "orders.parquet is no Parquet file, or only a part of one", file="orders.parquet"),
    Kind("Parquet of nothing", b"", "orders.parquet is no Parquet file, or only a part of one", file="orders.parquet"),
    Kind("CSV that is called Parquet", between(), "orders.parquet is no Parquet file, or only a part of one", file="orders.parquet"),
)


def counted(kind: Kind) -> int:
    """Rows of the content below its header, by the standard library alone."""
    if kind.file.endswith(".parquet"):
        return int(pq.read_metadata(io.BytesIO(kind.content)).num_rows)
    text = kind.content.decode("utf-8-sig" if kind.encoding == "utf-8" else kind.encoding, errors="replace")
    return len(list(csv.reader(io.StringIO(text, newline=""), delimiter=kind.delimiter))) - 1


def test_there_are_kinds_enough_and_no_two_of_one_name() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 40


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kind_of_bad_input(shop: IngestionHome, kind: Kind) -> None:
    mapping = kind.mapping()
    if "path" in kind.then:
        mapping = mapping.replace(kind.file, kind.then["path"])
    shop.tables(mapping)
    shop.write(kind.file, kind.content)
    if kind.refused:
        with pytest.raises(InputError) as caught:
            shop.run()
        assert str(caught.value).startswith(kind.refused)
        assert shop.rows("select count(*) from raw.orders") == [(0,)]
        assert shop.rows("select count(*) from private.quarantine") == [(0,)]
        assert shop.rows("select count(*) from control.ingestion_accounts") == [(0,)]
        return
    shop.run()
    loaded = shop.rows("select order_id, cast(net_revenue as double) from raw.orders order by line")
    assert loaded == [(order, float(amount)) for order, amount in kind.orders]
    aside = shop.quarantine()
    assert [(line, reason) for line, reason, _ in aside] == list(kind.aside)
    assert all(raw for _, _, raw in aside)
    excluded = dict(shop.rows("select reason, rows_excluded from control.exclusions"))
    assert excluded == ({BLANK: kind.blank} if kind.blank else {})
    read = counted(kind)
    assert shop.account() == {
        "rows_read": read,
        "rows_loaded": len(kind.orders),
        "duplicates_merged": kind.merged,
        "rows_excluded": kind.blank,
        "rows_quarantined": len(kind.aside),
    }
    assert read == len(loaded) + kind.merged + kind.blank + len(aside)


def test_amount_of_many_digits_is_exact(shop: IngestionHome) -> None:
    shop.write("orders.csv", between(b"2,bob,2026-02-01,1000000000000.0001", b"3,bob,2026-02-01,99999999999999.9999"))
    shop.run()
    assert [str(amount) for (amount,) in shop.rows("select net_revenue from raw.orders where order_id in ('2', '3') order by line")] == [
        "1000000000000.0001",
        "99999999999999.9999",
    ]


def test_file_that_grows_while_it_is_read(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop.write("orders.csv", between())
    from ingestion.tabular import file_search

    def grows(file: Path) -> str:
        before = fingerprint(file)
        path.write_bytes(path.read_bytes() + b"10,ida,2026-02-10,5\n")
        return before

    fingerprint = file_search.fingerprint
    monkeypatch.setattr(file_search, "fingerprint", grows)
    with pytest.raises(TryAgain, match=r"orders\.csv of the source shop changed while it was read; wait until it is complete"):
        shop.run()
    monkeypatch.undo()
    assert shop.rows("select count(*) from raw.orders") == [(0,)]
    shop.run()
    assert shop.account()["rows_loaded"] == 3


def test_file_that_may_not_be_read(shop: IngestionHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a patched `open`, for who runs the tests as root may read everything."""
    path = shop.write("orders.csv", between())
    whole_open = Path.open

    def refusing(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return whole_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(InputError, match=r"^orders\.csv cannot be read \(Permission denied\): let the user who runs the night read it"):
        shop.extract()


def test_file_name_that_is_no_text(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("orders.csv", "'orders*'"))
    shop.write("orders\udcff.csv", between())
    with pytest.raises(RegularsError, match="is no UTF-8 text: give it another name"):
        shop.extract()


def test_one_good_row_makes_the_bad_ones_single_ones(shop: IngestionHome) -> None:
    shop.write("orders.csv", HEADER + b"1,a,bad,1\n" * 500 + FIRST)
    shop.run()
    assert (shop.account()["rows_loaded"], shop.account()["rows_quarantined"]) == (1, 500)


def test_rows_that_a_rule_leaves_out_are_no_bad_ones(shop: IngestionHome) -> None:
    shop.tables(ORDERS + "        exclude: [{reason: test orders, when: \"customer = 'test'\"}]\n")
    shop.write("orders.csv", HEADER + b"1,test,2026-02-01,1\n2,bob,bad,1\n")
    shop.run()
    assert shop.account() == {"rows_read": 2, "rows_loaded": 0, "duplicates_merged": 0, "rows_excluded": 1, "rows_quarantined": 1}
