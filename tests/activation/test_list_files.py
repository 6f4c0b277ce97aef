"""The folder of lists: whole, safe in a spreadsheet, the same bytes for the same night."""

import csv
import errno
import hashlib
import io
import itertools
import json
import os
import re
import stat
import threading
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from activation_home import ActivationHome, Night, address_of, customers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activation import folder_exchange
from activation.desired import REASONS
from activation.destination import SegmentList
from activation.list_columns import COLUMNS
from activation.list_files import read_lists, write_lists
from activation.sync import plan_destination, push_destination
from regulars.errors import GuardStopped, InputError
from regulars.home import Home
from regulars.warehouse.workspace import Workspace

D1, D2, D3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
LIST = (SegmentList("loyal", "Loyal customers", "email"),)
PRODUCTS = ("next_product", "next_product_id", "next_product_ids", "new_product", "new_product_id")
ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("segment", "customer_id", "address", "contact_permission")),
        *((name, pa.date32()) for name in ("entered_on", "expires_on")),
        *((name, pa.float64()) for name in ("churn_probability", "expected_value", "value_at_risk", "category_affinity")),
        *((name, pa.string()) for name in ("currency", "favourite_category", *PRODUCTS, "offer")),
        ("offer_valid_until", pa.date32()),
        *((name, pa.string()) for name in REASONS),
    ]
)
LIVE = set("=+-@\t\r\n＝＋－＠")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
nasty = st.builds(
    lambda head, tail: head + tail,
    st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "'=", "''-", "＝", '"', ",", '"=', "\r\n="]),
    texts,
)


def send(shop: ActivationHome, as_of: date) -> None:
    plan_destination(shop.home, as_of, "night", "lists")
    push_destination(shop.home, as_of, "night", "lists")
    shop.end_night(as_of)


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))


def summary(shop: ActivationHome) -> str:
    return str(shop.query("select summary from steps where step = 'push lists' order by rowid desc")[0][0])


@settings(max_examples=40)
@given(st.lists(st.one_of(texts, nasty), min_size=1, max_size=6, unique=True), st.one_of(texts, nasty), st.floats(-1e6, 1e6))
@example(["=1+1", "'=1+1", "''=1+1", "1"], '=HYPERLINK("http://x","y")', -5.0)
def test_any_cell_round_trips_and_none_is_a_live_formula(ids: list[str], offer: str, value: float) -> None:
    records = [
        {"segment": "loyal", "customer_id": one, "address": one, "contact_permission": permission, "value_at_risk": value, "offer": offer}
        for one, permission in zip(ids, itertools.cycle(["granted", "denied"]), strict=False)
    ]
    with TemporaryDirectory() as folder, Workspace(Home(Path(folder)), "lists") as workspace:
        night = Path(folder) / "2026-03-01"
        written = write_lists(night, D1, "m1", LIST, pa.Table.from_pylist(records, schema=ROWS), workspace)
        read = rows_of(night / "loyal.csv")
        raw = (night / "loyal.csv").read_bytes().decode()
        found = read_lists(night)["loyal"]
        assert found["customer_id"].to_pylist() == sorted(ids, key=str.encode)
        assert read_lists(night, written.contents)["loyal"].sort_by("customer_id").equals(found.sort_by("customer_id"))
        (night / "loyal.csv").write_bytes((night / "loyal.csv").read_bytes().replace(b'"', b"'", 1))
        assert read_lists(night, written.contents) == {}
    assert [row["customer_id"] for row in read] == [_shown(one) for one in sorted(ids, key=str.encode)]
    for row in read:
        assert row["offer"] == _shown(offer)
        assert all(not cell or cell[0] not in LIVE for name, cell in row.items() if name != "value_at_risk")
        assert float(row["value_at_risk"]) == pytest.approx(value, abs=0.0051)
    assert re.fullmatch(r'(?:"(?:[^"]|"")*"(?:,|\r\n))*', raw)


def _shown(text: str) -> str:
    return "'" + text if text.lstrip("'")[:1] in LIVE and text.lstrip("'") else text


def test_a_night_of_lists(folder_shop: ActivationHome) -> None:
    night = Night({"loyal": customers(3), "follow_up": []}, denied=["c0001"], unknown=["c0002"], value_of={"c0002": 90.123})
    folder_shop.night(D1, night)
    send(folder_shop, D1)
    folder = folder_shop.home.lists / "2026-03-01"
    rows = rows_of(folder / "loyal.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["customer_id"], row["email"], row["contact_permission"], row["value_at_risk"]) for row in rows] == [
        ("c0002", "", "unknown", "90.12"),
        ("c0000", address_of("c0000"), "granted", "25.00"),
        ("c0001", "", "denied", "25.00"),
    ]
    assert rows_of(folder / "follow_up.csv") == []
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["as_of"], manifest["model_version"], manifest["columns"]) == ("2026-03-01", "m1", list(COLUMNS))
    assert manifest["files"]["loyal.csv"] == {
        "customers": 3,
        "sha256": hashlib.sha256((folder / "loyal.csv").read_bytes()).hexdigest(),
        "title": "Loyal customers",
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert (folder_shop.home.lists / "latest").resolve() == folder.resolve()
    loyal = folder_shop.syncs(D1, "lists")["loyal"]
    assert (loyal["customers_count"], loyal["entered_count"], loyal["left_count"], loyal["held_back_count"]) == (3, 3, 0, 0)


def test_same_night_again_rewrites_nothing_and_says_so(folder_shop: ActivationHome) -> None:
    folder_shop.night(D1, Night({"loyal": customers(3), "follow_up": []}))
    send(folder_shop, D1)
    file = folder_shop.home.lists / "2026-03-01" / "loyal.csv"
    before, syncs = file.stat(), folder_shop.syncs(D1, "lists")
    send(folder_shop, D1)
    assert file.stat().st_ino == before.st_ino
    assert "unchanged" in summary(folder_shop)
    assert folder_shop.syncs(D1, "lists")["loyal"]["entered_count"] == syncs["loyal"]["entered_count"] == 3


def test_same_night_with_other_members_replaces_the_folder(folder_shop: ActivationHome) -> None:
    folder_shop.night(D1, Night({"loyal": customers(3), "follow_up": []}))
    send(folder_shop, D1)
    folder_shop.night(D1, Night({"loyal": customers(4, 1), "follow_up": []}))
    send(folder_shop, D1)
    assert {row["customer_id"] for row in rows_of(folder_shop.home.lists / "latest" / "loyal.csv")} == set(customers(4, 1))
    assert sorted(path.name for path in folder_shop.home.lists.iterdir()) == ["2026-03-01", "latest"]


def test_movements_and_old_nights(folder_shop: ActivationHome) -> None:
    for night, members in ((D1, customers(10)), (D2, customers(10, 1)), (D3, customers(10, 2))):
        folder_shop.night(night, Night({"loyal": members, "follow_up": []}))
        send(folder_shop, night)
    assert sorted(path.name for path in folder_shop.home.lists.iterdir()) == ["2026-03-02", "2026-03-03", "latest"]
    loyal = folder_shop.syncs(D3, "lists")["loyal"]
    assert (loyal["customers_count"], loyal["entered_count"], loyal["left_count"]) == (10, 1, 1)


def test_a_changed_file_is_written_anew(folder_shop: ActivationHome) -> None:
    folder_shop.night(D1, Night({"loyal": customers(3), "follow_up": []}))
    send(folder_shop, D1)
    file = folder_shop.home.lists / "latest" / "loyal.csv"
    whole = file.read_bytes()
    file.write_bytes(whole[:40])
    send(folder_shop, D1)
    assert file.read_bytes() == whole


def test_the_guard_watches_the_folder_too(folder_shop: ActivationHome) -> None:
    folder_shop.night(D1, Night({"loyal": customers(400), "follow_up": customers(5)}))
    send(folder_shop, D1)
    folder_shop.night(D2, Night({"loyal": customers(300), "follow_up": customers(5)}))
    with pytest.raises(GuardStopped, match="would lose 100 of 400"):
        send(folder_shop, D2)
    assert not (folder_shop.home.lists / "2026-03-02").exists()


def test_a_folder_that_went_missing_is_filled_again(folder_shop: ActivationHome) -> None:
    folder_shop.night(D1, Night({"loyal": customers(400), "follow_up": []}))
    send(folder_shop, D1)
    folder_shop.home.lists.rename(folder_shop.home.var / "taken-away")
    folder_shop.night(D2, Night({"loyal": customers(400), "follow_up": []}))
    send(folder_shop, D2)
    assert len(rows_of(folder_shop.home.lists / "latest" / "loyal.csv")) == 400


def test_killed_while_writing(folder_shop: ActivationHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step it dies at, `latest` holds whole lists, and the next run ends as if nothing had been."""
    folder_shop.night(D1, Night({"loyal": customers(3), "follow_up": []}))
    send(folder_shop, D1)
    members = customers(4)
    for number in range(1, 40):
        folder_shop.night(D2, Night({"loyal": members, "follow_up": []}))
        calls = 0

        def dying(descriptor: int, dying_at: int = number) -> None:
            nonlocal calls
            calls += 1
            if calls == dying_at:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", dying)
            try:
                send(folder_shop, D2)
                break
            except KeyboardInterrupt:
                pass
        assert len(rows_of(folder_shop.home.lists / "latest" / "loyal.csv")) in (3, 4)
    assert number > 5
    assert len(rows_of(folder_shop.home.lists / "latest" / "loyal.csv")) == 4
    assert sorted(path.name for path in folder_shop.home.lists.iterdir()) == ["2026-03-01", "2026-03-02", "latest"]
    assert folder_shop.syncs(D2, "lists")["loyal"]["entered_count"] == 1


@pytest.mark.parametrize("last_rename", [1, 2, 3])
def test_killed_while_replacing_a_night_where_folders_cannot_be_exchanged(
    folder_shop: ActivationHome, monkeypatch: pytest.MonkeyPatch, last_rename: int
) -> None:
    folder_shop.night(D1, Night({"loyal": customers(300), "follow_up": []}))
    send(folder_shop, D1)
    folder_shop.night(D1, Night({"loyal": customers(301), "follow_up": []}))
    rename, renames = Path.rename, 0

    def dying(path: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == last_rename:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(folder_exchange, "_exchange", lambda one, other: errno.EINVAL)
        patch.setattr(Path, "rename", dying)
        with pytest.raises(KeyboardInterrupt):
            send(folder_shop, D1)
    send(folder_shop, D1)
    assert len(rows_of(folder_shop.home.lists / "latest" / "loyal.csv")) == 301
    assert sorted(path.name for path in folder_shop.home.lists.iterdir()) == ["2026-03-01", "latest"]


def test_a_reader_never_finds_half_a_folder(tmp_path: Path) -> None:
    folder, new = tmp_path / "night", tmp_path / "new"
    folder.mkdir()
    (folder / "list").write_text("0")
    seen: set[str] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add((folder / "list").read_text() if (folder / "list").exists() else "none")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 300):
        new.mkdir()
        (new / "list").write_text(str(number))
        folder_exchange.switch_in(new, folder)
        (new / "list").unlink()
        new.rmdir()
    ended.set()
    reader.join()
    assert len(seen) > 1
    assert "none" not in seen


def test_only_folders_of_our_own_are_removed(folder_shop: ActivationHome) -> None:
    """`keep_nights` is 2 here, and a person may keep something beside our folders, or in them."""
    lists = folder_shop.home.lists
    for name in ("1999-12-31", "2000-01-01"):
        (lists / name).mkdir(parents=True)
    (lists / "2000-01-01" / "manifest.json").write_text('{"as_of": "2000-01-01", "files": {}}')
    (lists / "2000-01-01" / "notes.txt").write_text("ours")
    for day in range(5):
        folder_shop.night(D1 + timedelta(days=day), Night({"loyal": customers(3), "follow_up": []}))
        send(folder_shop, D1 + timedelta(days=day))
        if day == 1:
            (lists / "2026-03-02" / "notes.txt").write_text("ours")
    assert sorted(path.name for path in lists.iterdir()) == [
        *("1999-12-31", "2000-01-01", "2026-03-02"),
        *("2026-03-04", "2026-03-05", "latest"),
    ]


def test_an_earlier_night_is_not_sent(folder_shop: ActivationHome) -> None:
    folder_shop.night(D2, Night({"loyal": customers(3), "follow_up": []}))
    folder_shop.night(D1, Night({"loyal": customers(2), "follow_up": []}))
    send(folder_shop, D2)
    for work in (plan_destination, push_destination):
        with pytest.raises(InputError, match="retention_backfill"):
            work(folder_shop.home, D1, "night", "lists")
        with pytest.raises(GuardStopped, match="is past"):
            work(folder_shop.home, D1, "training", "lists")
    assert not (folder_shop.home.lists / "2026-03-01").exists()
    assert (folder_shop.home.lists / "latest").resolve().name == "2026-03-02"


def test_a_night_that_was_not_scored(folder_shop: ActivationHome) -> None:
    with pytest.raises(InputError, match="no customer has been scored for 2026-03-01"):
        plan_destination(folder_shop.home, D1, "night", "lists")
