"""Night over night against the referee: what reaches the tool, and what never does."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from activation_home import ActivationHome, Night, address_of, customers
from synced_home import SyncedHome

from activation.sync import SyncIncomplete, plan_destination, push_destination
from regulars.errors import ConfigurationError, GuardStopped, InputError, TryAgain
from regulars.warehouse import open_warehouse
from tests.referees.mailchimp import Audience, Faults, Server, contact_id

D1, D2, D3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
LOYAL, FOLLOW_UP = "Regulars: Loyal customers", "Regulars: Follow-up"


def addresses(ids: list[str]) -> set[str]:
    return {address_of(one) for one in ids}


def approve_first(shop: ActivationHome, as_of: date) -> None:
    with pytest.raises(GuardStopped):
        plan_destination(shop.home, as_of, "night", "mailchimp")
    shop.approve()


def send(shop: ActivationHome, as_of: date) -> None:
    plan_destination(shop.home, as_of, "night", "mailchimp")
    push_destination(shop.home, as_of, "night", "mailchimp")
    shop.end_night(as_of)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> SyncedHome:
    night = Night({"loyal": customers(30), "follow_up": customers(12, 30)}, expires_on=D1 + timedelta(days=6))
    return SyncedHome.after(tmp_path_factory.mktemp("synced"), D1, night, contacts=60)


@pytest.fixture
def synced(first_night: SyncedHome, server: Server, tmp_path: Path) -> ActivationHome:
    """30 loyal and 12 followed up, of 60 subscribed contacts, after the first night."""
    return first_night.copied(tmp_path / "home", server)


def test_first_night_fills_the_lists(synced: ActivationHome, audience: Audience) -> None:
    assert audience.members_of(LOYAL) == addresses(customers(30))
    assert audience.members_of(FOLLOW_UP) == addresses(customers(12, 30))
    assert audience.contacts[contact_id(address_of("c0000"))].merge_fields == {"CHURN_RISK": 0.25, "EXP_VALUE": 100.0, "VALUE_RISK": 25.0}
    assert audience.contacts[contact_id(address_of("c0050"))].merge_fields == {}
    assert set(audience.states().values()) == {"subscribed"}
    assert audience.violations == []
    loyal = synced.syncs(D1, "mailchimp")["loyal"]
    assert (loyal["customers_count"], loyal["entered_count"], loyal["left_count"], loyal["held_back_count"]) == (30, 30, 0, 0)


def test_same_night_again_writes_nothing(synced: ActivationHome, audience: Audience) -> None:
    before, syncs = list(audience.writes), synced.syncs(D1, "mailchimp")
    send(synced, D1)
    assert audience.writes == before
    after = synced.syncs(D1, "mailchimp")
    for segment, row in syncs.items():
        assert {**row, "plan_sha256": ""} == {**after[segment], "plan_sha256": ""}


def test_next_night_sends_only_what_differs(synced: ActivationHome, audience: Audience) -> None:
    before = len(audience.writes)
    audience.effects.clear()
    members = {"loyal": customers(29, 1) + customers(2, 45), "follow_up": customers(12, 30)}
    synced.night(D2, Night(members, expires_on=D1 + timedelta(days=6), value_of={"c0005": 99.0}))
    send(synced, D2)
    assert audience.members_of(LOYAL) == addresses(customers(29, 1) + customers(2, 45))
    written = {effect.split()[-1] for effect in audience.effects}
    assert written == {contact_id(address_of(one)) for one in ("c0000", "c0005", "c0045", "c0046")}
    assert len(audience.writes) - before == 2
    assert audience.violations == []
    loyal = synced.syncs(D2, "mailchimp")["loyal"]
    assert (loyal["customers_count"], loyal["entered_count"], loyal["left_count"]) == (31, 2, 1)


def test_without_permission_nobody_gets_on_a_list(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(34)}, denied=["c0001", "c0031"], unknown=["c0032"], expires_on=None))
    with pytest.raises(GuardStopped):
        plan_destination(synced.home, D2, "night", "mailchimp")
    synced.night(D2, Night({"loyal": customers(34), "follow_up": customers(12, 30)}, denied=["c0001", "c0031"], unknown=["c0032"]))
    send(synced, D2)
    assert audience.members_of(LOYAL) == addresses([one for one in customers(34) if one not in ("c0001", "c0031", "c0032")])
    assert address_of("c0031") not in audience.members_of(FOLLOW_UP)
    assert synced.syncs(D2, "mailchimp")["loyal"]["held_back_count"] == 3


@pytest.mark.parametrize("state", ["unsubscribed", "cleaned", "pending", "archived"])
def test_contacts_in_other_states_are_left_alone(synced: ActivationHome, audience: Audience, state: str) -> None:
    gone, never_on = address_of("c0003"), address_of("c0059")
    audience.contacts[contact_id(gone)].status = audience.contacts[contact_id(never_on)].status = state
    night = Night({"loyal": [*customers(30), "c0059"], "follow_up": customers(12, 30)}, value_of={"c0003": 77.0})
    synced.night(D2, night)
    send(synced, D2)
    assert audience.states()[gone] == audience.states()[never_on] == state
    assert never_on not in audience.members_of(LOYAL)
    assert audience.contacts[contact_id(gone)].merge_fields["VALUE_RISK"] == 25.0
    assert audience.violations == []
    assert synced.syncs(D2, "mailchimp")["loyal"]["held_back_count"] == 2
    before = len(audience.writes)
    synced.night(D3, night)
    send(synced, D3)
    assert len(audience.writes) == before


def test_unknown_contacts_are_not_created(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(30) + customers(2, 90), "follow_up": customers(12, 30)}))
    send(synced, D2)
    assert len(audience.contacts) == 60
    assert synced.syncs(D2, "mailchimp")["loyal"]["held_back_count"] == 2


def test_created_contacts_are_transactional_where_the_setting_says_so(synced: ActivationHome, audience: Audience) -> None:
    file = synced.home.config / "destinations.yml"
    file.write_text(file.read_text() + "    create_contacts: true\n")
    audience.contacts[contact_id(address_of("c0059"))].status = "archived"
    synced.night(D2, Night({"loyal": [*customers(30), *customers(2, 90), "c0059"], "follow_up": customers(12, 30)}))
    send(synced, D2)
    assert {audience.states()[address_of(one)] for one in customers(2, 90)} == {"transactional"}
    assert audience.states()[address_of("c0059")] == "archived"
    assert audience.members_of(LOYAL) == addresses(customers(30) + customers(2, 90))
    assert audience.violations == []


def test_a_refused_contact_does_not_fail_the_night(synced: ActivationHome, audience: Audience) -> None:
    audience.refused_words[contact_id(address_of("c0050"))] = f"{address_of('c0050')} is in a compliance state and cannot be subscribed."
    synced.night(D2, Night({"loyal": [*customers(30), "c0050", "c0051"], "follow_up": customers(12, 30)}))
    send(synced, D2)
    assert audience.members_of(LOYAL) == addresses([*customers(30), "c0051"])
    loyal = synced.syncs(D2, "mailchimp")["loyal"]
    assert (loyal["entered_count"], loyal["rejected_count"], loyal["held_back_count"]) == (1, 1, 0)
    assert synced.query("select customer_id, reason from refusals") == [("c0050", "compliance state")]
    before = len(audience.writes)
    send(synced, D2)
    assert len(audience.writes) == before
    audience.refused_words.clear()
    synced.night(D3, Night({"loyal": [*customers(30), "c0050", "c0051"], "follow_up": customers(12, 30)}))
    send(synced, D3)
    assert address_of("c0050") in audience.members_of(LOYAL)


def test_what_the_tool_drops_silently_turns_the_night_red(synced: ActivationHome, audience: Audience) -> None:
    audience.dropped_silently.add(contact_id(address_of("c0050")))
    synced.night(D2, Night({"loyal": [*customers(30), "c0050", "c0051"], "follow_up": customers(12, 30)}))
    with pytest.raises(SyncIncomplete, match=r"enter loyal: 1 \(c0050\)"):
        send(synced, D2)
    assert synced.syncs(D2, "mailchimp")["loyal"]["customers_count"] == 31
    audience.dropped_silently.clear()
    send(synced, D2)
    assert address_of("c0050") in audience.members_of(LOYAL)


def test_a_stranger_on_our_list_is_taken_off(synced: ActivationHome, audience: Audience) -> None:
    audience.add("stranger@elsewhere.example")
    number = next(number for number, (name, _) in audience.static_segments.items() if name == LOYAL)
    audience.static_segments[number][1].add(contact_id("stranger@elsewhere.example"))
    synced.night(D2, Night({"loyal": customers(30), "follow_up": customers(12, 30)}))
    send(synced, D2)
    assert audience.members_of(LOYAL) == addresses(customers(30))
    assert audience.states()["stranger@elsewhere.example"] == "subscribed"


def test_two_customers_with_one_address_are_one_contact_with_the_stricter_permission(synced: ActivationHome, audience: Audience) -> None:
    with open_warehouse(synced.home) as warehouse:
        warehouse.execute("insert into private.stg_customers values ('x1', null, ?), ('x2', null, ?)", [address_of("c0055")] * 2)
        warehouse.execute("insert into private.stg_customers values ('y1', null, ?), ('y2', null, ?)", [address_of("c0056")] * 2)
    synced.night(D2, Night({"loyal": [*customers(30), "x1", "x2", "y1", "y2"], "follow_up": customers(12, 30)}, denied=["y2"]))
    send(synced, D2)
    assert audience.members_of(LOYAL) == addresses([*customers(30), "c0055"])
    assert synced.syncs(D2, "mailchimp")["loyal"]["held_back_count"] == 3
    assert audience.violations == []


def test_an_earlier_night_sends_nothing(synced: ActivationHome, audience: Audience) -> None:
    requests = audience.requests
    early = D1 - timedelta(days=5)
    synced.night(early, Night({"loyal": customers(3)}))
    with pytest.raises(InputError, match="retention_backfill"):
        send(synced, early)
    assert audience.requests == requests
    assert synced.syncs(early, "mailchimp") == {}


def test_no_answer_means_try_again(synced: ActivationHome, faults: Faults) -> None:
    faults.share, faults.kinds, faults.in_a_row = 1.0, ("html 503",), -1000
    with pytest.raises(TryAgain, match="did not answer GET / 5 times"):
        plan_destination(synced.home, D1, "night", "mailchimp")


def test_a_key_that_opens_nothing_is_a_matter_of_configuration(synced: ActivationHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILCHIMP_API_KEY", "feedfeedfeedfeed-us9")
    with pytest.raises(ConfigurationError, match="API Key Invalid") as caught:
        plan_destination(synced.home, D1, "night", "mailchimp")
    assert "feedfeed" not in str(caught.value)


def test_a_merge_field_of_another_type_is_found_before_anything_is_written(shop: ActivationHome, audience: Audience) -> None:
    audience.merge_fields["EXP_VALUE"] = "date"
    shop.night(D1, Night({"loyal": customers(3)}))
    with pytest.raises(ConfigurationError, match="EXP_VALUE has the type 'date'"):
        plan_destination(shop.home, D1, "night", "mailchimp")
    assert audience.writes == []


def test_what_is_not_known_is_not_sent(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": [*customers(30), "c0050"], "follow_up": customers(12, 30)}))
    with open_warehouse(synced.home) as warehouse:
        warehouse.execute("delete from scores.customer_scores where as_of_date = ? and customer_id in ('c0001', 'c0050')", [D2])
    send(synced, D2)
    assert audience.contacts[contact_id(address_of("c0001"))].merge_fields["EXP_VALUE"] == 100.0
    assert audience.contacts[contact_id(address_of("c0050"))].merge_fields == {}
    assert audience.violations == []


def test_many_customers_go_in_batches(shop: ActivationHome, audience: Audience, server: Server) -> None:
    for one in customers(1203):
        audience.add(address_of(one))
    shop.night(D1, Night({"loyal": customers(1203)}))
    approve_first(shop, D1)
    send(shop, D1)
    assert audience.members_of(LOYAL) == addresses(customers(1203))
    assert len([call for call in audience.writes if call == "POST /lists/a1b2c3d4e5"]) == 3
    assert set(audience.effects.values()) == {1}
    assert audience.violations == []


def test_a_list_cap_keeps_the_most_valuable(shop: ActivationHome, audience: Audience) -> None:
    for one in customers(9):
        audience.add(address_of(one))
    file = shop.home.config / "destinations.yml"
    file.write_text(file.read_text() + "    list_cap: 2\n")
    shop.night(D1, Night({"loyal": customers(9)}, value_of={"c0007": 90.0, "c0002": 80.0}))
    approve_first(shop, D1)
    send(shop, D1)
    assert audience.members_of(LOYAL) == addresses(["c0002", "c0007"])
    assert shop.syncs(D1, "mailchimp")["loyal"]["held_back_count"] == 7


def test_progress_names_the_steps(synced: ActivationHome, no_progress: Path) -> None:
    send(synced, D1)
    assert "push mailchimp" in no_progress.read_text()
