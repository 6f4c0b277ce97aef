"""A Parquet file read as it is stored gives what it gives as texts: values, hashes, accounts, and what is set aside with which reason."""

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingestion_home import utc

from ingestion.guests import GuestPseudonyms
from ingestion.source import Extraction, TableExtract
from ingestion.tabular.binding import Binding, TableReading
from ingestion.tabular.guest_rows import GuestRows
from ingestion.tabular.mapping import MAPPINGS
from ingestion.tabular.parquet_rows import ParquetRows
from ingestion.tabular.table_extraction import TableExtraction
from ingestion.tabular.work_database import WorkDatabase
from regulars.home import Home
from regulars.tables import CANONICAL_TABLES, ORDERS

COLUMNS = {
    "order_id": "id",
    "account_id": "customer",
    "email": "mail",
    "ordered_at": "placed",
    "net_revenue": "total",
    "items_count": "items",
}
CLOCK = [
    datetime(2026, 2, 1, 10, 0, 0, 123_456),
    datetime(2025, 3, 30, 2, 30),
    datetime(2025, 10, 26, 2, 30),
    datetime(1970, 1, 1),
    datetime(2026, 3, 1, 3),
    datetime(2026, 3, 3),
    datetime(1, 1, 1),
    None,
]
ROWS: dict[str, pa.Array] = {
    "id": pa.array([str(n) for n in range(8)]),
    "customer": pa.array(["anna", " b\t", "", None, "e", "test1", "g", "h"]),
    "mail": pa.array([None, "B@x.org", "c@x.org", "jörg@x.org ", "none", None, "", None]),
    "placed": pa.array([datetime(2026, 2, 1)] * 8, pa.timestamp("us")),
    "total": pa.array([Decimal("12.50"), Decimal(0), None, Decimal("-1.1"), *[Decimal(1)] * 4], pa.decimal128(10, 2)),
    "items": pa.array([1, None, 3, 4, 5, 6, 7, -8], pa.int32()),
    "note": pa.array([None, "", " ", "x", *[None] * 4]),
    "seen": pa.array([None, date(2026, 1, 1), *[None] * 6]),
    "parts": pa.array([[1], *[None] * 7], pa.list_(pa.int64())),
}
AMOUNTS = ["0.005", "12.50", "-99999999999999.9999", "99999999999999.9999", "100000000000000", "0", "1.0001", None]
WHOLE = [0, 1, -7, 99_999_999_999_999, 100_000_000_000_000, 2**62, 5, None]
FITTING = {
    "as it is": {},
    "ids that are numbers": {"id": pa.array([*range(7), 6], pa.int64()), "customer": pa.array(range(8), pa.int16())},
    "rows without a value": {name: pa.array([*column.to_pylist()[:6], None, None], column.type) for name, column in ROWS.items()},
    "dictionaries": {"customer": ROWS["customer"].dictionary_encode(), "mail": ROWS["mail"].dictionary_encode()},
    "amounts in narrow decimals": {"total": pa.array([Decimal("9.9"), Decimal(0), *[None] * 6], pa.decimal128(3, 1))},
    "amounts in wide decimals": {"total": pa.array([one and Decimal(one) for one in AMOUNTS], pa.decimal128(38, 4))},
    "whole amounts": {"total": pa.array(WHOLE, pa.int64())},
    "amounts in texts": {"total": pa.array(AMOUNTS)},
    "large whole numbers": {"items": pa.array(WHOLE, pa.int64())},
    "small whole numbers": {"items": pa.array([1, -128, 127, *[None] * 5], pa.int8())},
    "times": {"placed": pa.array(CLOCK, pa.timestamp("us"))},
    "times in seconds": {"placed": pa.array(CLOCK, pa.timestamp("us")).cast(pa.timestamp("s"), safe=False)},
    "times with a zone": {"placed": pa.array(CLOCK, pa.timestamp("us", "America/New_York"))},
    "times in texts": {"placed": pa.array([one and one.isoformat() for one in CLOCK])},
    "days": {"placed": pa.array([one and one.date() for one in CLOCK])},
    "keys that come again": {"id": pa.array(["1", "1 ", "2", "2", "3", "3", "4", "4"])},
}
ODD = {
    "nanoseconds": {"placed": pa.array(CLOCK[:2] * 4, pa.timestamp("ns"))},
    "floating point": {"total": pa.array([1.00005, 1e-7, 1e20, 0.1, 12.5, -0.0, float("nan"), None])},
    "fine decimals": {"total": pa.array([Decimal("1.23456"), *[Decimal(1)] * 7], pa.decimal128(12, 5))},
    "ids that are decimals": {"id": pa.array([Decimal(n) for n in range(8)], pa.decimal128(5, 0))},
    "a NUL byte": {"note": pa.array(["a\0", *[None] * 7])},
    "bytes that are no text": {"note": pa.array([b"\xff", *[b"x"] * 7], pa.binary())},
    "names that only case tells apart": {"NOTE": pa.array(["x"] * 8)},
    "a column of nothing": {"note": pa.nulls(8)},
}
MAPPED: dict[str, dict[str, Any]] = {
    "plain": {},
    "with rules": {
        "exclude": [
            {"reason": "tests", "when": "customer like 'test%'"},
            {"reason": "free", "when": "total = 0"},
            {"reason": "early", "when": "placed < '2025-06-01 00:00:00'"},
        ]
    },
    "without a key": {"row_key": "none"},
    "with a key of its own": {"row_key": ["customer", "items"]},
}
AS_TEXTS: dict[str, dict[str, Any]] = {
    "nulls": {"nulls": ["1"]},
    "decimal commas": {"decimal": ","},
    "a rule on a list": {"exclude": [{"reason": "none", "when": "parts = 'x' or customer = 'g'"}]},
}


def extracted(changes: dict[str, pa.Array], mapping: dict[str, Any], zone: str, home: Home, *, as_texts: bool) -> Any:
    """All that an extraction holds."""
    folder = home.path / ("texts" if as_texts else "stored")
    folder.mkdir()
    pq.write_table(pa.table(ROWS | changes), folder / "orders.parquet")
    extraction = Extraction({table.name: TableExtract() for table in CANONICAL_TABLES})
    with WorkDatabase(folder) as work, pytest.MonkeyPatch.context() as patched:
        if as_texts:
            patched.setattr(ParquetRows, "stored", lambda *_: None)
        rows, guests = ParquetRows(folder / "orders.parquet", "orders.parquet"), GuestRows(work)
        reading = TableReading(ORDERS, MAPPINGS["orders"].model_validate({"columns": COLUMNS} | mapping), "shop", zone, "EUR", "")
        binding = Binding(reading, rows, known_at=utc(2026, 3, 1, 3))
        was_read_as_texts = False

        def noted(self: ParquetRows, batches: Any = ParquetRows.batches) -> Any:
            nonlocal was_read_as_texts
            was_read_as_texts = True
            return batches(self)

        patched.setattr(ParquetRows, "batches", noted)
        TableExtraction(work, rows, binding, pseudonyms=GuestPseudonyms(home), guest_rows=guests, file_ordinal=1).write(folder, extraction)
        guests.write(folder, extraction)
    files = sorted(path.name for path in folder.glob("*-*.parquet"))
    content = {name: sorted(pq.read_table(folder / name).to_pylist(), key=str) for name in files}
    return was_read_as_texts, (asdict(extraction), content)


TIMELY = ("times", "days", "times with a zone", "with rules")


@pytest.mark.parametrize(
    ("kind", "zone"),
    [*((kind, "Europe/Berlin") for kind in (*FITTING, *ODD, *MAPPED, *AS_TEXTS)), *((kind, "UTC") for kind in TIMELY)],
)
def test_both_ways_agree(kind: str, zone: str, tmp_path: Path) -> None:
    changes, mapping = (FITTING | ODD).get(kind, {}), (MAPPED | AS_TEXTS).get(kind, {})
    (tmp_path / "config").mkdir()
    home = Home.at(tmp_path)
    was_read_as_texts, stored = extracted(changes, mapping, zone, home, as_texts=False)
    assert was_read_as_texts == (kind in ODD or kind in AS_TEXTS)
    assert stored == extracted(changes, mapping, zone, home, as_texts=True)[1]
