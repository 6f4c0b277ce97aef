"""The guard: judges a plan before anything is written, and stops it when the change looks like an accident.

The limits follow published defaults of identity and audience synchronisation: an absolute number for small lists, where a
percentage means little, and a share for large ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from activation.comparison import ListFigures
from activation.destination import Target

REMOVALS_COUNT, REMOVALS_SHARE = 25, 0.10
ADDITIONS_COUNT, ADDITIONS_SHARE = 100, 0.30
MOST_SHARE = 0.5
"""After missed nights the limits grow, a night's worth for each, but never beyond this share of a list's removals."""

EMPTIED_COUNT = 10
"""A list of at least so many customers may not become empty by itself."""


@dataclass(frozen=True)
class Circumstances:
    """What the guard must know beside the plan. The home's own folder may fill lists that it does not have yet.

    `nights` is how many nights of change the plan holds: days since the latest as_of that was sent, at least 1.
    """

    is_own: bool
    is_first_sync: bool
    nights: int = 1


def judge(figures: Sequence[ListFigures], circumstances: Circumstances) -> list[str]:
    """Why the plan must not be pushed without approval, in words with figures; empty when it may.

    Removals of transient members whose membership has expired are expected, and judged by nothing else.
    """
    reasons = []
    if circumstances.is_first_sync and not circumstances.is_own:
        reasons.append("this is the first sync of this destination and target")
    for one in figures:
        reasons += _judge_list(one, f"list {one.title!r}", circumstances)
    if len(figures) > 1:
        filled = [one for one in figures if not _fills_own(one, circumstances)]
        total = ListFigures(
            segment="",
            title="",
            exists=True,
            desired=sum(one.desired for one in figures),
            current=sum(one.current for one in figures),
            entering=sum(one.entering for one in filled),
            leaving=sum(one.leaving for one in figures),
            expected_leaving=sum(one.expected_leaving for one in figures),
            held_back=0,
            refused=0,
        )
        reasons += _judge_list(total, "all lists together", circumstances)
    return reasons


def _judge_list(one: ListFigures, name: str, circumstances: Circumstances) -> list[str]:
    reasons = []
    unexpected = one.leaving - one.expected_leaving
    removals = max(REMOVALS_COUNT, min(REMOVALS_SHARE * circumstances.nights, MOST_SHARE) * one.current)
    additions = max(ADDITIONS_COUNT, ADDITIONS_SHARE * one.current) * circumstances.nights
    if one.desired == 0 and one.current - one.expected_leaving >= EMPTIED_COUNT:
        reasons.append(f"{name} would become empty; it has {one.current:,} customers")
    elif unexpected > removals:
        reasons.append(
            f"{name} would lose {unexpected:,} of {one.current:,} customers before their time; expected at most {int(removals):,}"
        )
    if not _fills_own(one, circumstances) and not circumstances.is_first_sync and one.entering > additions:
        reasons.append(f"{name} would gain {one.entering:,} customers over its {one.current:,}; expected at most {int(additions):,}")
    return reasons


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
