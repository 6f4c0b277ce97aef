"""Whatever a CSV file holds: each of its records is loaded, merged, excluded or quarantined, exactly once, at its line."""

import csv
import io
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.guests import GuestPseudonyms
from ingestion.source import Extraction, TableExtract
from ingestion.tabular.binding import Binding, TableReading
from ingestion.tabular.csv_rows import CsvRows
from ingestion.tabular.guest_rows import GuestRows
from ingestion.tabular.mapping import MAPPINGS
from ingestion.tabular.table_extraction import TableExtraction
from ingestion.tabular.text_lines import raw_rows
from ingestion.tabular.work_database import WorkDatabase
from regulars.home import Home
from regulars.tables import CUSTOMERS, ORDERS

MAPPING = MAPPINGS["orders"].model_validate({
    "columns": {"order_id": "id", "account_id": "customer", "ordered_at": "placed", "net_revenue": "total"},
    "exclude": [{"reason": "free", "when": "total = 0"}, {"reason": "tests", "when": "customer like 'test%'"}],
})  # fmt: skip
HEADER = ["id", "customer", "placed", "total"]

field = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "2",
            "3",
            "0",
            "12.50",
            "2026-02-01",
            "2026-02-01 10:00:00",
            "bad",
            "test1",
            " ",
            '5" pipe',
            "a\nb",
            "a\r\nb",
            "\r",
            'q"q',
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\ufdd0"), max_size=6),
)
good = st.tuples(
    st.sampled_from("123456"), st.sampled_from(["anna", "test1", "a\nb"]), st.just("2026-02-01"), st.sampled_from(["0", "1", "2.5"])
)
record = st.one_of(good, good, st.lists(field, min_size=1, max_size=6))


def written(records: list[list[str]], line_end: str, quoting: int) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=line_end, quoting=quoting).writerows([HEADER, *records])  # type: ignore[arg-type]
    return stream.getvalue().encode()


def physical_lines(content: bytes) -> list[tuple[int, list[str]]]:
    """First line and fields of every record, by another parser than the one under test."""
    reader = csv.reader(io.StringIO(content.decode(), newline=""))
    records, line = [], 1
    for fields in reader:
        records.append((line, fields))
        line = reader.line_num + 1
    return records[1:]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    path = tmp_path_factory.mktemp("home")
    (path / "config").mkdir()
    return Home.at(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(record.map(list), max_size=12),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example(
    records=[["1", "a", "2026-02-01", "1"], ["1", "a", "2026-02-01", "2"], ["1", "a", "2026-02-01", "1.0"], [""]],
    line_end="\n",
    quoting=csv.QUOTE_MINIMAL,
)
def test_every_record_is_accounted_for(
    records: list[list[str]], line_end: str, quoting: int, home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    content = written(records, line_end, quoting)
    file = folder / "orders.csv"
    file.write_bytes(content)
    extraction = extracted(file, folder, home)
    truth = physical_lines(content)
    account = extraction.tables["orders"]

    loaded_lines = lines_in(folder, account.parquet)
    bad = [row for name in extraction.quarantine for row in pq.read_table(folder / name).to_pylist()]
    assert account.rows_read == len(truth)
    assert account.rows_read == len(loaded_lines) + account.duplicates_merged + sum(account.excluded.values()) + account.rows_quarantined
    assert account.rows_quarantined == len(bad)
    all_lines = {line for line, _ in truth}
    bad_lines = [row["line"] for row in bad]
    assert not set(loaded_lines) & set(bad_lines)
    assert set(loaded_lines) | set(bad_lines) <= all_lines
    assert len(set(loaded_lines)) == len(loaded_lines)
    assert len(set(bad_lines)) == len(bad_lines)

    by_line = dict(truth)
    for row in bad:
        assert list(csv.reader(io.StringIO(row["raw_bytes"].decode(), newline=""))) == [by_line[row["line"]]] or by_line[row["line"]] == []
    for line, fields in truth:
        if len(fields) != len(HEADER) and any(fields):
            assert line in bad_lines
    blanks = sum(1 for _, fields in truth if not any(text.strip(" \t\r\n\v\f") for text in fields) and len(fields) in (0, len(HEADER)))
    assert account.excluded.get("blank row", 0) == blanks


def extracted(file: Path, folder: Path, home: Home) -> Extraction:
    extraction = Extraction({"orders": TableExtract(), CUSTOMERS.name: TableExtract()})
    with WorkDatabase(folder) as work:
        guests = GuestRows(work)
        rows = CsvRows(file, file.name, encoding="utf-8", delimiter=",")
        binding = Binding(TableReading(ORDERS, MAPPING, "shop", "UTC", "EUR", ""), rows, known_at=datetime(2026, 3, 1, 3))
        TableExtraction(work, rows, binding, pseudonyms=GuestPseudonyms(home), guest_rows=guests, file_ordinal=1).write(folder, extraction)
    return extraction


def lines_in(folder: Path, files: list[str]) -> list[int]:
    return [line for name in files for line in pq.read_table(folder / name, columns=["line"]).column("line").to_pylist()]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.tuples(st.text("ab,\u00e4", max_size=4), st.sampled_from(["\n", "\r\n", "\r"])), min_size=1, max_size=30),
    wanted=st.data(),
    block=st.integers(1, 9),
)
def test_rows_are_found_by_their_lines(pieces: list[tuple[str, str]], wanted: st.DataObject, block: int, tmp_path: Path) -> None:
    """In blocks of any size, so that a line end may be cut in two."""
    lines = [text + end for text, end in pieces]
    content = "".join(lines).encode()
    expected = content.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = wanted.draw(st.integers(1, max(len(expected) - 1, 1)))
    last = wanted.draw(st.integers(first, max(len(expected) - 1, 1)))
    file = tmp_path / "text.csv"
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingestion.tabular.text_stream.BLOCK_BYTES", block)
        (found,) = raw_rows(file, "text.csv", "utf-8", [(first, last)])
    assert found.decode().replace("\r\n", "\n").replace("\r", "\n") == "\n".join(expected[first - 1 : last])
