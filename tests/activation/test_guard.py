"""The guard stops what looks like an accident, and nothing is written."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from activation_home import ActivationHome, Night, address_of, customers

from activation.comparison import ListFigures
from activation.destination import Target
from activation.guard import Circumstances, judge
from activation.sync import plan_destination, push_destination
from regulars.errors import ConfigurationError, GuardStopped
from tests.referees.mailchimp import Audience

D1, D2 = date(2026, 3, 1), date(2026, 3, 2)
HERE, THERE = Target("account", "audience", "Newsletter"), Target("account", "audience", "Staff")
NORMAL = Circumstances(is_own=False, target=HERE, pinned=HERE)
LIST = ListFigures("s", "S", exists=True, desired=1000, current=1000, entering=0, leaving=0, expected_leaving=0)


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        ({}, False),
        ({"leaving": 100}, False),
        ({"leaving": 101}, True),
        ({"leaving": 400, "expected_leaving": 300}, False),
        ({"leaving": 401, "expected_leaving": 300}, True),
        ({"entering": 300}, False),
        ({"entering": 301}, True),
        ({"current": 40, "leaving": 25}, False),
        ({"current": 40, "leaving": 26}, True),
        ({"current": 40, "entering": 100}, False),
        ({"current": 40, "entering": 101}, True),
        ({"desired": 0, "current": 9, "leaving": 9}, False),
        ({"desired": 0, "current": 10, "leaving": 10}, True),
        ({"desired": 0, "current": 10, "leaving": 10, "expected_leaving": 10}, False),
        ({"desired": 0, "current": 30, "leaving": 30, "expected_leaving": 20}, True),
        ({"leaving": 90, "lately_gone": 160, "lately_current": 900}, False),
        ({"leaving": 91, "lately_gone": 160, "lately_current": 900}, True),
        ({"lately_gone": 900}, False),
        ({"leaving": 60, "current": 750, "lately_gone": 200, "lately_current": 1000}, True),
        ({"leaving": 5, "current": 40, "lately_gone": 20, "lately_current": 60}, False),
        ({"leaving": 6, "current": 40, "lately_gone": 20, "lately_current": 60}, True),
        ({"readdressed": 100}, False),
        ({"readdressed": 101}, True),
        ({"permitted": 2000, "withdrawn": 20}, False),
        ({"permitted": 2000, "withdrawn": 21}, True),
        ({"permitted": 50, "withdrawn": 10}, False),
        ({"permitted": 50, "withdrawn": 11}, True),
    ],
)
def test_limits(change: dict[str, int], stops: bool) -> None:
    assert bool(judge([replace(LIST, **change)], NORMAL)) is stops


def test_missed_nights_widen_the_limits_but_half_a_list_never_goes_unasked() -> None:
    late = replace(NORMAL, nights=3)
    assert not judge([replace(LIST, leaving=300, entering=900)], late)
    assert judge([replace(LIST, leaving=301)], late)
    assert judge([replace(LIST, entering=901)], late)
    assert judge([replace(LIST, leaving=501)], replace(NORMAL, nights=90))


def test_many_small_losses_are_one_large_loss() -> None:
    small = replace(LIST, current=50, leaving=20)
    assert judge([small], NORMAL) == []
    assert any("all lists together" in reason for reason in judge([small] * 3, NORMAL))


def test_first_sync_needs_approval_but_for_the_own_folder() -> None:
    new = replace(LIST, exists=False, current=0, entering=500)
    assert judge([new], Circumstances(is_own=False, target=HERE, pinned=None))
    assert not judge([new], Circumstances(is_own=True, target=HERE, pinned=None))
    assert not judge([new], Circumstances(is_own=True, target=HERE, pinned=HERE))
    assert judge([new], NORMAL)


def test_another_target_than_the_approved_one_is_a_first_sync() -> None:
    assert judge([LIST], replace(NORMAL, target=THERE)) == [
        "this is the first sync of another target than the approved one: audience_name is 'Staff' and was 'Newsletter'"
    ]


@pytest.fixture
def synced(shop: ActivationHome, audience: Audience) -> ActivationHome:
    for one in customers(200):
        audience.add(address_of(one))
    shop.night(D1, Night({"loyal": customers(60), "follow_up": customers(40, 60)}, expires_on=D1))
    with pytest.raises(GuardStopped, match="first sync"):
        plan_destination(shop.home, D1, "night", "mailchimp")
    shop.approve()
    push_destination(shop.home, D1, "night", "mailchimp")
    shop.end_night(D1)
    return shop


def expect_stop(shop: ActivationHome, audience: Audience, match: str) -> str:
    """Both verbs stop, and nothing is written; the message."""
    before = list(audience.writes)
    with pytest.raises(GuardStopped, match=match) as caught:
        plan_destination(shop.home, D2, "night", "mailchimp")
    with pytest.raises(GuardStopped, match=match):
        push_destination(shop.home, D2, "night", "mailchimp")
    assert audience.writes == before
    assert shop.query("select * from sent_nights where as_of_date = '2026-03-02'") == []
    return str(caught.value)


def test_first_sync_is_stopped_until_approved(shop: ActivationHome, audience: Audience) -> None:
    audience.add(address_of("c0000"))
    shop.night(D2, Night({"loyal": ["c0000"]}))
    message = expect_stop(shop, audience, "this is the first sync")
    assert f"python -m activation approve {shop.stopped_hash()}" in message
    assert message.count("@") == 0


def test_an_empty_night_is_stopped(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": [], "follow_up": customers(1)}))
    expect_stop(synced, audience, "would become empty; it has 60 customers")


def test_a_lost_consent_column_is_stopped(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(40, 60)}, unknown=customers(100)))
    expect_stop(synced, audience, "would become empty")


def test_a_mass_removal_is_stopped(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(30), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would lose 30 of 60 customers before their time; expected at most 25")


def test_expired_memberships_may_end_in_masses(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(60), "follow_up": []}))
    plan_destination(synced.home, D2, "night", "mailchimp")
    push_destination(synced.home, D2, "night", "mailchimp")
    assert audience.members_of("Regulars: Follow-up") == set()


def test_a_mass_addition_is_stopped(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(161), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would gain 101 customers over its 60")


def test_an_approved_plan_is_pushed(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(30), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would lose 30")
    synced.approve(synced.stopped_hash()[:12])
    push_destination(synced.home, D2, "night", "mailchimp")
    assert audience.members_of("Regulars: Loyal customers") == {address_of(one) for one in customers(30)}


def test_an_approval_ends_with_a_changed_plan(synced: ActivationHome, audience: Audience) -> None:
    synced.night(D2, Night({"loyal": customers(30), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would lose 30")
    synced.approve()
    synced.night(D2, Night({"loyal": customers(31), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would lose 29")


def test_an_approval_ends_after_a_day(synced: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.night(D2, Night({"loyal": customers(30), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "would lose 30")
    monkeypatch.setenv("REGULARS_CLOCK", "2026-03-02T08:00:00")
    synced.approve()
    monkeypatch.setenv("REGULARS_CLOCK", "2026-03-03T08:00:00")
    expect_stop(synced, audience, "would lose 30")
    monkeypatch.setenv("REGULARS_CLOCK", "2026-03-03T07:59:59")
    push_destination(synced.home, D2, "night", "mailchimp")


def test_only_a_stopped_plan_can_be_approved(synced: ActivationHome) -> None:
    with pytest.raises(ConfigurationError, match="no plan waits"):
        synced.approve("f" * 64)


@pytest.mark.parametrize(
    ("key", "value", "words"), [("name", "Staff", "audience name is 'Staff'"), ("account_id", "other", "account is 'other'")]
)
def test_a_wrong_target_is_stopped_and_cannot_be_approved(
    synced: ActivationHome, audience: Audience, key: str, value: str, words: str
) -> None:
    setattr(audience, key, value)
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(40, 60)}))
    assert "approve" not in expect_stop(synced, audience, words)


def test_another_audience_is_a_first_sync_again(synced: ActivationHome, audience: Audience) -> None:
    audience.audience_id, audience.static_segments, audience.merge_fields = "ffff000011", {}, {}
    file = synced.home.config / "destinations.yml"
    file.write_text(file.read_text().replace("a1b2c3d4e5", "ffff000011"))
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(40, 60)}))
    expect_stop(synced, audience, "audience_id is 'ffff000011' and was 'a1b2c3d4e5'")
    synced.approve()
    audience.effects.clear()
    push_destination(synced.home, D2, "night", "mailchimp")
    assert sum(effect.startswith("update") for effect in audience.effects) == 100


def test_a_removal_by_the_customers_own_order_counts(synced: ActivationHome, audience: Audience) -> None:
    """Transient members who leave before their time are judged like everybody else."""
    with_later_expiry = Night({"loyal": customers(60), "follow_up": customers(40, 60)}, expires_on=D1 + timedelta(days=5))
    synced.night(D1, with_later_expiry)
    synced.night(D2, Night({"loyal": customers(60), "follow_up": customers(10, 60)}))
    expect_stop(synced, audience, "would lose 30 of 40")
