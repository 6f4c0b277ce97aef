"""What people go by in the shop: invented names, addresses, guests and accounts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop.catalogue import POPULARITY
from regulars.sample_shop.chance import Lots, Stream, by_blocks, generator, in_time_order
from regulars.sample_shop.lives import NEVER, Lives
from regulars.sample_shop.parameters import ShopParameters

FIRST_NAMES = (
    "Ada", "Alma", "Anton", "Ben", "Bruno", "Carla", "Clara", "David", "Edda", "Elif", "Emil", "Emma", "Felix", "Finn", "Frida", "Greta",
    "Hanna", "Hugo", "Ida", "Jakob", "Jana", "Jonas", "Jörg", "Karl", "Käthe", "Lea", "Leon", "Lina", "Luise", "Mara", "Marie", "Mats",
    "Mia", "Mila", "Noah", "Nora", "Oskar", "Paul", "Paula", "Ronja", "Rosa", "Sophie", "Theo", "Tilda", "Tom", "Vera", "Wanda", "Yusuf",
)  # fmt: skip
LAST_NAMES = (
    "Ackermann", "Albrecht", "Arslan", "Bach", "Baumann", "Becker", "Berger", "Brandt", "Busch", "Dietrich", "Engel", "Fischer", "Frank",
    "Fuchs", "Graf", "Groß", "Günther", "Haas", "Hahn", "Hartmann", "Heinrich", "Hofmann", "Jäger", "Jung", "Kaiser", "Keller", "Koch",
    "König", "Kowalski", "Kraus", "Krüger", "Kühn", "Lang", "Lehmann", "Lorenz", "Ludwig", "Maier", "Möller", "Neumann", "Otto", "Peters",
    "Pohl", "Richter", "Roth", "Sauer", "Schäfer", "Scholz", "Schubert", "Seidel", "Simon", "Sommer", "Stein", "Vogel", "Voigt", "Wagner",
    "Weber", "Winter", "Wolf", "Yılmaz", "Ziegler",
)  # fmt: skip
PLACES = (
    ("10115", "Berlin", "DE"), ("12043", "Berlin", "DE"), ("20095", "Hamburg", "DE"), ("22765", "Hamburg", "DE"),
    ("80331", "München", "DE"), ("81667", "München", "DE"), ("50667", "Köln", "DE"), ("60311", "Frankfurt am Main", "DE"),
    ("70173", "Stuttgart", "DE"), ("40213", "Düsseldorf", "DE"), ("44135", "Dortmund", "DE"), ("45127", "Essen", "DE"),
    ("04109", "Leipzig", "DE"), ("28195", "Bremen", "DE"), ("01067", "Dresden", "DE"), ("30159", "Hannover", "DE"),
    ("90402", "Nürnberg", "DE"), ("48143", "Münster", "DE"), ("76133", "Karlsruhe", "DE"), ("68159", "Mannheim", "DE"),
    ("79098", "Freiburg im Breisgau", "DE"), ("24103", "Kiel", "DE"), ("06108", "Halle (Saale)", "DE"), ("99084", "Erfurt", "DE"),
    ("18055", "Rostock", "DE"), ("1010", "Wien", "AT"), ("1070", "Wien", "AT"), ("8010", "Graz", "AT"), ("5020", "Salzburg", "AT"),
    ("6020", "Innsbruck", "AT"),
)  # fmt: skip
"""Postal code, city, country; the first ones are the more frequent."""
NO_VALUE = -1
NO_DATE = np.int32(-(2**31))
SPELLINGS = ("plain", "title", "upper", "blanks")
"""How an address may be written: anna.b.7@…, Anna.B.7@…, ANNA.B.7@…, or with blanks around it."""

_PEOPLE_IN_BLOCK = 1 << 16
_LATE_SPELLINGS = Lots((0.30, 0.40, 0.10, 0.20))
_EARLY_SPELLINGS = Lots((0.94, 0.05, 0.00, 0.01))
_BARGAIN_HUNTERS = Lots((0.50, 0.35, 0.15))
_CATEGORIES = Lots(POPULARITY)
_YEARS_OLD = (18, 80)


@dataclass(frozen=True)
class Identities:
    """One entry a person, in order of arrival; arrays of shape (people,)."""

    name: NDArray[np.uint16]
    """First name × number of last names + last name."""
    domain: NDArray[np.uint8]
    place: NDArray[np.uint8]
    phone: NDArray[np.int16]
    """Last digits of a number reserved for invented people, or NO_VALUE."""
    born: NDArray[np.int32]
    """Days since 1970, or NO_DATE."""
    registered: NDArray[np.int32]
    """Seconds since the opening at which the account was opened, or NEVER for those who stay guests."""
    spelling: NDArray[np.uint8]
    """Spelling of the account's address."""
    favourite: NDArray[np.uint8]
    """Category bought most."""
    second_favourite: NDArray[np.uint8]
    bargains: NDArray[np.uint8]
    """0 seldom uses coupons, 1 sometimes, 2 often."""
    account: NDArray[np.int32]
    """Place of the account among all, by registration; NO_VALUE for those who stay guests."""


def identify(parameters: ShopParameters, lives: Lives, end: int) -> Identities:
    """Gives everybody a name, and to most an account, numbered in order of registration before `end` (seconds)."""
    lots = Lots((
        1 - parameters.guest_share,
        parameters.guest_share * parameters.guest_registers_share,
        parameters.guest_share * (1 - parameters.guest_registers_share),
    ))  # fmt: skip

    def identify_some(block: int, first: int, last: int) -> Identities:
        return _identify(parameters, lots, lives.arrived[first:last], end, generator(parameters.seed, Stream.IDENTITIES, block))

    blocks = by_blocks(identify_some, len(lives.arrived), _PEOPLE_IN_BLOCK)
    columns = {field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Identities)}
    people = np.flatnonzero(columns["registered"] != NEVER).astype(np.int32)
    columns["account"][people[in_time_order(columns["registered"][people])]] = np.arange(len(people), dtype=np.int32)
    return Identities(**columns)


def _identify(parameters: ShopParameters, lots: Lots, arrived: NDArray[np.int32], end: int, chance: np.random.Generator) -> Identities:
    people = len(arrived)
    kind = lots.draw(chance, people)
    before = np.maximum(arrived - chance.integers(60, 1200, people), 0)
    after = arrived + 60 + chance.standard_exponential(people) * (parameters.registration_delay_days * 86_400)
    registered = np.where(kind == 0, before, np.where((kind == 1) & (after < end), after, NEVER)).astype(np.int32)
    youngest = (np.datetime64(parameters.start) - np.datetime64("1970-01-01")).astype(np.int64) - 365 * _YEARS_OLD[0]
    born = youngest - (chance.beta(1.5, 2.5, people) * (365 * (_YEARS_OLD[1] - _YEARS_OLD[0]))).astype(np.int64)
    return Identities(
        name=chance.integers(0, len(FIRST_NAMES) * len(LAST_NAMES), people, dtype=np.uint16),
        domain=(chance.random(people, dtype=np.float32) < 0.3).astype(np.uint8),
        place=(chance.random(people, dtype=np.float32) ** 1.5 * len(PLACES)).astype(np.uint8),
        phone=np.where(chance.random(people) < 0.4, NO_VALUE, chance.integers(0, 1_000, people)).astype(np.int16),
        born=np.where(chance.random(people) < 0.45, NO_DATE, born).astype(np.int32),
        registered=registered,
        spelling=np.where(kind == 0, _EARLY_SPELLINGS.draw(chance, people), _LATE_SPELLINGS.draw(chance, people)),
        favourite=_CATEGORIES.draw(chance, people),
        second_favourite=_CATEGORIES.draw(chance, people),
        bargains=_BARGAIN_HUNTERS.draw(chance, people),
        account=np.full(people, NO_VALUE, dtype=np.int32),
    )
