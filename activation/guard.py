"""The guard: judges a plan before anything is written, and stops it when the change looks like an accident.

The limits follow published defaults of identity and audience synchronisation: an absolute number for small lists, where a
percentage means little, and a share for large ones. No configuration widens them; a person approves one plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from activation.comparison import ListFigures
from activation.destination import Target
from regulars.errors import GuardStopped

REMOVALS_COUNT, REMOVALS_SHARE = 25, 0.10
ADDITIONS_COUNT, ADDITIONS_SHARE = 100, 0.30
MOST_SHARE = 0.5
"""After missed nights the limits grow, a night's worth for each, but never beyond this share of a list's removals."""

EMPTIED_COUNT = 10
"""A list of at least so many customers may not become empty by itself."""

LEAK_WINDOW, LEAK_SHARE = timedelta(days=7), 0.25
"""Small removals night after night add up: no more than this share of a list in so many days."""

WITHDRAWN_COUNT, WITHDRAWN_SHARE = 10, 0.01
"""Members who could be contacted on the night sent last, and cannot any more."""


@dataclass(frozen=True)
class Circumstances:
    """What the guard must know beside the plan. The home's own folder may fill lists that it does not have yet.

    `nights` is how many nights of change the plan holds: days since the latest as_of that was sent, at least 1. `pinned` is
    the target that was approved first, None before that.
    """

    is_own: bool
    target: Target
    pinned: Target | None
    nights: int = 1

    @property
    def is_first_sync(self) -> bool:
        return self.pinned != self.target


class ApprovalNeeded(GuardStopped):
    """The guard stopped a plan that a person may let pass, by its hash.

    `question` asks for that, in Markdown with figures, and without a customer.
    """

    def __init__(self, message: str, *, plan_sha256: str, question: str):
        super().__init__(message)
        self.plan_sha256, self.question = plan_sha256, question


def judge(figures: Sequence[ListFigures], circumstances: Circumstances) -> list[str]:
    """Why the plan must not be pushed without approval, in words with figures; empty when it may.

    Removals of transient members whose membership has expired are expected, and judged by nothing else.
    """
    reasons = _judge_target(circumstances)
    for one in figures:
        reasons += _judge_list(one, f"list {one.title!r}", circumstances)
    if len(figures) > 1:
        reasons += _judge_list(_total(figures, circumstances), "all lists together", circumstances)
    return reasons + _judge_consents(figures, circumstances.nights)


def _judge_target(circumstances: Circumstances) -> list[str]:
    pinned, target = circumstances.pinned, circumstances.target
    if circumstances.is_own or not circumstances.is_first_sync:
        return []
    if pinned is None:
        return ["this is the first sync of this destination"]
    changed = [
        f"{field.name} is {getattr(target, field.name)!r} and was {getattr(pinned, field.name)!r}"
        for field in fields(Target)
        if getattr(target, field.name) != getattr(pinned, field.name)
    ]
    return [f"this is the first sync of another target than the approved one: {', '.join(changed)}"]


def _judge_list(one: ListFigures, name: str, circumstances: Circumstances) -> list[str]:
    reasons = []
    nights = circumstances.nights
    unexpected = one.leaving - one.expected_leaving
    share = min(REMOVALS_SHARE * nights, MOST_SHARE)
    removals = max(REMOVALS_COUNT, share * one.current)
    additions = max(ADDITIONS_COUNT, ADDITIONS_SHARE * one.current) * nights
    before = max(one.current, one.lately_current)
    leak = max(REMOVALS_COUNT, max(LEAK_SHARE, share) * before)
    if one.desired == 0 and one.current - one.expected_leaving >= EMPTIED_COUNT:
        retired = ", and its segment is not in the catalogue any more" if one.is_retired else ""
        reasons.append(f"{name} would become empty; it has {one.current:,} customers{retired}")
    elif unexpected > removals:
        reasons.append(
            f"{name} would lose {unexpected:,} of {one.current:,} customers before their time; expected at most {int(removals):,}"
        )
    elif unexpected and one.lately_gone + unexpected > leak:
        reasons.append(
            f"{name} would have lost {one.lately_gone + unexpected:,} of {before:,} customers before their time "
            f"within {LEAK_WINDOW.days} days; expected at most {int(leak):,}"
        )
    if one.readdressed > removals:
        reasons.append(f"{name} would change the address of {one.readdressed:,} customers; expected at most {int(removals):,}")
    if not _fills_own(one, circumstances) and not circumstances.is_first_sync and one.entering > additions:
        reasons.append(f"{name} would gain {one.entering:,} customers over its {one.current:,}; expected at most {int(additions):,}")
    return reasons


def _judge_consents(figures: Sequence[ListFigures], nights: int) -> list[str]:
    permitted, withdrawn = sum(one.permitted for one in figures), sum(one.withdrawn for one in figures)
    allowed = max(WITHDRAWN_COUNT, WITHDRAWN_SHARE * permitted) * nights
    if withdrawn <= allowed:
        return []
    return [f"{withdrawn:,} of {permitted:,} members who could be contacted have no permission any more; expected at most {int(allowed):,}"]


def _total(figures: Sequence[ListFigures], circumstances: Circumstances) -> ListFigures:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in figures)

    return ListFigures(
        segment="",
        title="",
        exists=True,
        desired=total("desired"),
        current=total("current"),
        entering=sum(one.entering for one in figures if not _fills_own(one, circumstances)),
        leaving=total("leaving"),
        expected_leaving=total("expected_leaving"),
        readdressed=total("readdressed"),
        lately_gone=total("lately_gone"),
        lately_current=total("lately_current"),
    )


def _fills_own(one: ListFigures, circumstances: Circumstances) -> bool:
    return circumstances.is_own and not one.exists


def wrong_target(pinned: Target, found: Target) -> list[str]:
    """In what the destination is not the one that the configuration pins. No approval overrides this."""
    names = {"account_id": "account", "audience_id": "audience", "audience_name": "audience name"}
    return [
        f"the {words} is {getattr(found, key)!r}, and {key} says {getattr(pinned, key)!r}"
        for key, words in names.items()
        if getattr(found, key) != getattr(pinned, key)
    ]
