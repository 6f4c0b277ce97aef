"""Whatever breaks, and wherever the process dies: the tool ends up holding what the night says, and nothing happens twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import httpx
import pytest
from activation_home import ActivationHome, Night, address_of, customers

from activation.ledger import Ledger
from activation.plan import Plan
from activation.sync import plan_destination, push_destination
from regulars.errors import GuardStopped, TryAgain
from tests.referees.mailchimp import Audience, Faults

D1, D2 = date(2026, 3, 1), date(2026, 3, 2)
LOYAL, FOLLOW_UP = "Regulars: Loyal customers", "Regulars: Follow-up"
FIRST = Night({"loyal": customers(8), "follow_up": customers(4, 8)})
SECOND = Night({"loyal": customers(8, 2), "follow_up": customers(4, 8)}, value_of={"c0004": 60.0})


class Killed(BaseException):
    """Stands for a process that dies: nothing of ours catches it."""


@contextmanager
def killed_at(request_number: int, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Die at the n-th request: before it is sent, or when it has been carried out and the answer is on its way."""
    seen = 0
    send = httpx.HTTPTransport.handle_request

    def dying(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += 1
        if seen == request_number and not after:
            raise Killed
        answer = send(transport, request)
        if seen == request_number:
            answer.close()
            raise Killed
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(httpx.HTTPTransport, "handle_request", dying)
        yield lambda: seen


def a_night(shop: ActivationHome, as_of: date) -> None:
    """Plan, approve where it is asked for, push."""
    try:
        plan_destination(shop.home, as_of, "night", "mailchimp")
    except GuardStopped:
        shop.approve()
    push_destination(shop.home, as_of, "night", "mailchimp")


def holds(audience: Audience, night: Night) -> bool:
    lists = {"loyal": LOYAL, "follow_up": FOLLOW_UP}
    return all(audience.members_of(lists[segment]) == {address_of(one) for one in members} for segment, members in night.members.items())


def fill(shop: ActivationHome, audience: Audience) -> None:
    for one in customers(15):
        audience.add(address_of(one))
    audience.add(address_of("c0020"), "unsubscribed")
    shop.night(D1, FIRST)
    shop.night(D2, SECOND)


@pytest.mark.parametrize("seed", range(4))
def test_faults_by_seed_end_in_the_desired_state(shop: ActivationHome, audience: Audience, faults: Faults, seed: int) -> None:
    fill(shop, audience)
    faults.__init__(0.35, seed)  # type: ignore[misc]
    for as_of, night in ((D1, FIRST), (D2, SECOND)):
        for _ in range(6):
            try:
                a_night(shop, as_of)
                break
            except TryAgain:
                continue
        else:
            pytest.fail("the night never ended")
        shop.end_night(as_of)
        assert holds(audience, night)
    assert audience.violations == []
    assert len(audience.static_segments) == 2
    assert audience.states()[address_of("c0020")] == "unsubscribed"


@pytest.mark.parametrize("after", [False, True], ids=["before the request", "after the request"])
def test_killed_at_every_request_and_run_again(
    shop: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    fill(shop, audience)
    deaths = 0
    with pytest.raises(GuardStopped):
        plan_destination(shop.home, D1, "night", "mailchimp")
    shop.approve()
    for as_of, night in ((D1, FIRST), (D2, SECOND)):
        request_number = 1
        while True:
            try:
                with killed_at(request_number, after=after, monkeypatch=monkeypatch):
                    push_destination(shop.home, as_of, "night", "mailchimp")
                break
            except Killed:
                deaths += 1
                request_number += 1
        shop.end_night(as_of)
        assert holds(audience, night)
        entered = sum(row["entered_count"] for row in shop.syncs(as_of, "mailchimp").values())
        left = sum(row["left_count"] for row in shop.syncs(as_of, "mailchimp").values())
        assert (entered, left) == ((12, 0) if as_of == D1 else (2, 2))
    assert deaths > 20
    assert audience.violations == []
    before = list(audience.writes)
    a_night(shop, D2)
    assert audience.writes == before


@pytest.mark.parametrize("moment", ["begin_push", "record", "end_push"])
def test_killed_while_writing_the_ledger(shop: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The tool has done it, and our state does not know yet: the next run finds out by reading back."""
    fill(shop, audience)
    with monkeypatch.context() as patch:
        work = getattr(Ledger, moment)

        def dying(ledger: Ledger, plan: Plan, *rest: Any) -> None:
            if moment != "record" or rest[0] == "enter":
                raise Killed
            work(ledger, plan, *rest)

        patch.setattr(Ledger, moment, dying)
        with pytest.raises(Killed):
            a_night(shop, D1)
    a_night(shop, D1)
    assert holds(audience, FIRST)
    believed = shop.query("select segment, customer_id from ledger_entries where action = 'enter' order by 1, 2")
    assert believed == sorted((segment, one) for segment, members in FIRST.members.items() for one in members)
    assert audience.violations == []


def test_what_remains_of_an_approved_plan_needs_no_second_approval(
    shop: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shop, audience)
    with pytest.raises(GuardStopped):
        plan_destination(shop.home, D1, "night", "mailchimp")
    shop.approve()
    writes = 0
    while not writes:
        with pytest.raises(Killed), killed_at(14, after=True, monkeypatch=monkeypatch):
            push_destination(shop.home, D1, "night", "mailchimp")
        writes = len(audience.writes)
    monkeypatch.setenv("REGULARS_CLOCK", "2031-01-01T00:00:00")
    plan_destination(shop.home, D1, "night", "mailchimp")
    push_destination(shop.home, D1, "night", "mailchimp")
    assert holds(audience, FIRST)
