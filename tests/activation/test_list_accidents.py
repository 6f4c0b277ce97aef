"""What the guard must see beyond tonight's numbers: files saved anew, segments that are gone, consents, earlier nights."""

from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from activation_home import FOLDER, ActivationHome, Night, address_of, customers
from synced_home import SyncedHome

from activation.approval import decide
from activation.http_api import LONGEST_ASKED_WAIT_SECONDS, asked_wait
from activation.ledger import Ledger
from activation.sync import plan_destination, push_destination
from regulars.errors import GateFailed, GuardStopped, TryAgain
from regulars.run import open_run
from regulars.warehouse import open_warehouse
from tests.referees.mailchimp import Audience, Server

D1 = date(2026, 3, 1)
D2 = D1 + timedelta(days=1)


def send(shop: ActivationHome, as_of: date, name: str = "mailchimp") -> None:
    plan_destination(shop.home, as_of, "night", name)
    push_destination(shop.home, as_of, "night", name)
    shop.end_night(as_of)


@pytest.fixture(scope="module")
def first_folder(tmp_path_factory: pytest.TempPathFactory) -> ActivationHome:
    shop = ActivationHome(tmp_path_factory.mktemp("filled") / "home", FOLDER)
    shop.night(D1, Night({"loyal": customers(60), "follow_up": customers(1)}))
    send(shop, D1, "lists")
    return shop


@pytest.fixture
def filled(first_folder: ActivationHome, tmp_path: Path) -> ActivationHome:
    """A folder with 60 loyal customers and one followed up."""
    return first_folder.copied(tmp_path / "home")


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> SyncedHome:
    night = Night({"loyal": customers(60), "follow_up": customers(4, 60)})
    return SyncedHome.after(tmp_path_factory.mktemp("synced"), D1, night, contacts=100)


@pytest.fixture
def synced(first_night: SyncedHome, server: Server, tmp_path: Path) -> ActivationHome:
    return first_night.copied(tmp_path / "home", server)


def stops(shop: ActivationHome, as_of: date, name: str, match: str) -> None:
    lists = shop.home.lists
    before = {path: path.read_bytes() for path in lists.rglob("*.csv")}
    for verb in (plan_destination, push_destination):
        with pytest.raises(GuardStopped, match=match):
            verb(shop.home, as_of, "night", name)
    assert {path: path.read_bytes() for path in lists.rglob("*.csv")} == before
    assert shop.query(f"select * from sent_nights where as_of_date = '{as_of}'") == []


def spoil(shop: ActivationHome) -> None:
    file = shop.home.lists / "latest" / "loyal.csv"
    file.write_bytes(file.read_bytes().replace(b'"', b""))


def test_a_list_saved_anew_by_a_spreadsheet_still_counts(filled: ActivationHome) -> None:
    spoil(filled)
    filled.night(D2, Night({"loyal": customers(30), "follow_up": customers(1)}))
    stops(filled, D2, "lists", "list 'Loyal customers' would lose 30 of 60")


def test_a_list_saved_anew_is_written_again_and_moves_nobody(filled: ActivationHome) -> None:
    before = (filled.home.lists / "latest" / "loyal.csv").read_bytes()
    spoil(filled)
    filled.night(D2, Night({"loyal": customers(60), "follow_up": customers(1)}))
    send(filled, D2, "lists")
    assert (filled.home.lists / "latest" / "loyal.csv").read_bytes().count(b"\r\n") == before.count(b"\r\n") == 61
    assert filled.query("select count(*) from ledger_entries where segment = 'loyal'") == [(60,)]


def test_addresses_that_move_to_other_customers_are_stopped(filled: ActivationHome) -> None:
    with open_warehouse(filled.home) as warehouse:
        warehouse.execute("update private.stg_customers set normalised_email = 'x' || normalised_email where customer_id < 'c0024'")
    filled.night(D2, Night({"loyal": customers(60), "follow_up": customers(1)}))
    plan_destination(filled.home, D2, "night", "lists")
    with open_warehouse(filled.home) as warehouse:
        warehouse.execute("update private.stg_customers set normalised_email = 'x' || normalised_email where customer_id = 'c0024'")
    stops(filled, D2, "lists", "would change the address of 26 customers")
    filled.approve()
    send(filled, D2, "lists")
    assert b"xc0024@" in (filled.home.lists / "latest" / "loyal.csv").read_bytes()


@pytest.mark.parametrize("change", [{"denied": customers(11)}, {"unknown": customers(11)}])
def test_lost_consents_stop_a_folder_whose_members_stay(filled: ActivationHome, change: dict[str, list[str]]) -> None:
    filled.night(D2, Night({"loyal": customers(60), "follow_up": customers(1, 50)}, **change))
    stops(filled, D2, "lists", "11 of 60 members who could be contacted have no permission any more")


@pytest.mark.parametrize("deed", ["delete", "rename"])
def test_a_segment_that_is_gone_is_emptied_with_approval(synced: ActivationHome, audience: Audience, deed: str) -> None:
    file = synced.home.config / "segments" / "loyal.yml"
    text = file.read_text()
    file.unlink()
    if deed == "rename":
        file.with_name("faithful.yml").write_text(text.replace("Loyal customers", "Faithful customers"))
    synced.night(D2, Night({"follow_up": customers(4, 60), **({"faithful": customers(60)} if deed == "rename" else {})}))
    stops(synced, D2, "mailchimp", "'Loyal customers' would become empty; it has 60 customers, and its segment is not in the catalogue")
    synced.approve()
    send(synced, D2)
    assert audience.members_of("Regulars: Loyal customers") == set()
    assert len(audience.members_of("Regulars: Faithful customers")) == (60 if deed == "rename" else 0)
    assert {row[0] for row in synced.query("select title from tool_lists")} == {"Follow-up"} | (
        {"Faithful customers"} if deed == "rename" else set()
    )
    assert audience.violations == []


def test_a_segment_with_a_new_title_leaves_nobody_on_the_old_list(synced: ActivationHome, audience: Audience) -> None:
    file = synced.home.config / "segments" / "loyal.yml"
    file.write_text(file.read_text().replace("Loyal customers", "Friends of the house"))
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(4, 60)}))
    stops(synced, D2, "mailchimp", "'Loyal customers' would become empty")
    synced.approve()
    send(synced, D2)
    assert audience.members_of("Regulars: Loyal customers") == set()
    assert len(audience.members_of("Regulars: Friends of the house")) == 60


def test_a_file_that_gets_another_name_keeps_its_list(synced: ActivationHome, audience: Audience) -> None:
    file = synced.home.config / "segments" / "loyal.yml"
    file.rename(file.with_name("faithful.yml"))
    synced.night(D2, Night({"faithful": customers(60), "follow_up": customers(4, 60)}))
    writes = len(audience.writes)
    send(synced, D2)
    assert len(audience.writes) == writes


def test_a_deleted_segment_empties_no_folder_unasked(filled: ActivationHome) -> None:
    (filled.home.config / "segments" / "loyal.yml").unlink()
    filled.night(D2, Night({"follow_up": customers(1)}))
    stops(filled, D2, "lists", "'Loyal customers' would become empty")
    filled.approve()
    send(filled, D2, "lists")
    assert sorted(file.name for file in (filled.home.lists / "latest").glob("*.csv")) == ["follow_up.csv"]


def test_a_slow_leak_is_stopped_and_an_approval_starts_the_count_anew(filled: ActivationHome) -> None:
    filled.night(D2, Night({"loyal": customers(60), "follow_up": customers(100)}))
    send(filled, D2, "lists")
    for night in (2, 3):
        day = D1 + timedelta(days=night)
        filled.night(day, Night({"loyal": customers(60), "follow_up": customers(100 - 10 * (night - 1))}))
        send(filled, day, "lists")
    day = D1 + timedelta(days=4)
    filled.night(day, Night({"loyal": customers(60), "follow_up": customers(74)}))
    stops(filled, day, "lists", "would have lost 26 of 80 customers before their time within 7 days; expected at most 25")
    filled.approve()
    send(filled, day, "lists")
    filled.night(day + timedelta(days=1), Night({"loyal": customers(60), "follow_up": customers(70)}))
    send(filled, day + timedelta(days=1), "lists")


def test_a_refused_plan_waits_no_more_and_who_said_so_is_written_down(filled: ActivationHome) -> None:
    filled.night(D2, Night({"loyal": [], "follow_up": customers(1)}))
    stops(filled, D2, "lists", "would become empty")
    decide(filled.home, filled.stopped_hash(), "refused", "the marketer")
    assert filled.query("select decision, decided_by from decisions") == [("refused", "the marketer")]
    assert filled.query("select status from plans where as_of_date = '2026-03-02'") == [("refused",)]
    stops(filled, D2, "lists", "would become empty")


def test_a_target_is_pinned_by_the_first_approved_push(synced: ActivationHome) -> None:
    pinned = Ledger(synced.state, "mailchimp").pinned()
    assert pinned is not None
    assert (pinned.account_id, pinned.audience_id, pinned.audience_name) == ("acc0123456789", "a1b2c3d4e5", "Newsletter")


@pytest.fixture
def consents(synced: ActivationHome) -> ActivationHome:
    """A second night of 65 loyal ones, with a table of consents in which all but the last granted."""
    synced.night(D2, Night({"loyal": customers(65), "follow_up": customers(4, 60)}))
    with open_warehouse(synced.home) as warehouse:
        warehouse.execute("create schema if not exists staging; create schema if not exists intermediate")
        warehouse.execute(
            "create table staging.stg_consents as select customer_id as account_id, 'email' as channel, 'granted' as status,"
            " timestamp '2026-01-01' as changed_at, timestamp '2026-01-01' as known_at, null::timestamp as superseded_at"
            " from private.stg_customers where customer_id <> 'c0064'"
        )
        warehouse.execute(
            "create table intermediate.int_account_person_periods as select customer_id as account_id, customer_id,"
            " timestamp '2026-01-01' as known_at, null::timestamp as superseded_at from private.stg_customers"
        )
        columns = "as_of_date, known_until, run_id, config_hash, model_version"
        warehouse.execute(f"insert into control.nights ({columns}) values (?, timestamp '2026-03-02 01:00', 'r', 'c', 'm1')", [D2])
    return synced


def withdraw(shop: ActivationHome, customer_id: str) -> None:
    with open_warehouse(shop.home) as warehouse:
        said = "timestamp '2026-03-02 08:00'"
        warehouse.execute(f"insert into staging.stg_consents values (?, 'email', 'denied', {said}, {said}, null)", [customer_id])


def test_a_consent_withdrawn_between_plan_and_push_is_heard(consents: ActivationHome, audience: Audience) -> None:
    plan_destination(consents.home, D2, "night", "mailchimp")
    withdraw(consents, "c0062")
    withdraw(consents, "c0003")
    push_destination(consents.home, D2, "night", "mailchimp")
    expected = [one for one in customers(64) if one not in ("c0062", "c0003")]
    assert audience.members_of("Regulars: Loyal customers") == {address_of(one) for one in expected}


def test_a_grant_dated_into_the_future_does_not_outlive_a_denial(consents: ActivationHome, audience: Audience) -> None:
    with open_warehouse(consents.home) as warehouse:
        warehouse.execute(
            "insert into staging.stg_consents values ('c0007', 'email', 'granted', timestamp '2027-01-01', timestamp '2026-02-01', null)"
        )
    withdraw(consents, "c0007")
    push_destination(consents.home, D2, "night", "mailchimp")
    assert address_of("c0007") not in audience.members_of("Regulars: Loyal customers")


def test_a_word_that_is_no_grant_is_none(consents: ActivationHome, audience: Audience) -> None:
    with open_warehouse(consents.home) as warehouse:
        warehouse.execute("update staging.stg_consents set status = '' where account_id = 'c0007'")
    push_destination(consents.home, D2, "night", "mailchimp")
    assert address_of("c0007") not in audience.members_of("Regulars: Loyal customers")


@pytest.mark.parametrize(("results", "match"), [((), "has not been through the gate raw"), ((True, False), "1 expectations of the gate")])
def test_without_a_passed_gate_nothing_is_planned(synced: ActivationHome, results: tuple[bool, ...], match: str) -> None:
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(4, 60)}))
    with open_warehouse(synced.home) as warehouse:
        warehouse.execute("delete from quality.gate_results where as_of_date = ?", [D2])
        for number, is_met in enumerate(results):
            columns = "as_of_date, gate, expectation, column_name, is_met, observed"
            values = [D2, str(number), is_met]
            warehouse.execute(f"insert into quality.gate_results ({columns}) values (?, 'features', ?, '', ?, '')", values)
    for verb in (plan_destination, push_destination):
        with pytest.raises(GateFailed, match=match):
            verb(synced.home, D2, "night", "mailchimp")


def test_a_run_that_was_overtaken_sends_no_further_batch(
    synced: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.night(D2, Night({"loyal": customers(62), "follow_up": customers(5, 59)}, value_of={"c0001": 9.0}))
    writes = len(audience.writes)
    record = Ledger.record

    def overtaken(ledger: Ledger, *arguments: object) -> None:
        record(ledger, *arguments)  # type: ignore[arg-type]
        with synced.state.transaction() as connection:
            connection.execute("update runs set status = 'failed'")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", overtaken)
        with pytest.raises(TryAgain, match="was overtaken"):
            push_destination(synced.home, D2, "night", "mailchimp")
    assert len(audience.writes) == writes + 1
    open_run(synced.home, "night", D2)
    push_destination(synced.home, D2, "night", "mailchimp")
    assert len(audience.members_of("Regulars: Loyal customers")) == 62


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "100000"}, LONGEST_ASKED_WAIT_SECONDS),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 60),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "-5"}, 0),
    ],
)
def test_the_wait_that_a_tool_asks_for(headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_CLOCK", "2026-10-21T07:27:00")
    assert asked_wait(httpx.Response(429, headers=headers)) == seconds
