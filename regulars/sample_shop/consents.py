"""Who may be written to, as said at the checkout and changed later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop.chance import Lots, Stream, generator, in_time_order
from regulars.sample_shop.lives import Lives
from regulars.sample_shop.parameters import ShopParameters

STATUSES = ("granted", "denied")
CONSENT_SOURCES = ("checkout", "unsubscribe link", "newsletter form")
_SAID_NOTHING = 2


@dataclass(frozen=True)
class Consents:
    """Changes of the permission to send e-mail, in order of time; arrays of shape (changes,)."""

    seconds: NDArray[np.int32]
    person: NDArray[np.int32]
    status: NDArray[np.uint8]
    source: NDArray[np.uint8]


def ask_consents(parameters: ShopParameters, lives: Lives, end: int) -> Consents:
    """What everybody says at the first order, and the one change of mind that some have before `end` (seconds)."""
    chance = generator(parameters.seed, Stream.CONSENTS)
    people = len(lives.arrived)
    answer = Lots(parameters.consent_shares).draw(chance, people)
    changes = chance.random(people, dtype=np.float32) < np.array(parameters.consent_change_shares)[answer]
    changed = lives.arrived + chance.standard_exponential(people) * (parameters.consent_delay_days * 86_400)
    asked, changing = np.flatnonzero(answer != _SAID_NOTHING), np.flatnonzero(changes & (changed < end))
    denies = answer[changing] == 0
    seconds = np.concatenate((lives.arrived[asked], changed[changing].astype(np.int32)))
    order = in_time_order(seconds)
    return Consents(
        seconds=seconds[order],
        person=np.concatenate((asked, changing)).astype(np.int32)[order],
        status=np.concatenate((answer[asked], denies.astype(np.uint8)))[order],
        source=np.concatenate((np.zeros(len(asked)), np.where(denies, 1, 2))).astype(np.uint8)[order],
    )
