"""Arrow columns from the shop's compact arrays; no function here walks over rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regulars.sample_shop.identities import FIRST_NAMES, LAST_NAMES, SPELLINGS, Identities

AMOUNT = pa.decimal128(18, 4)
TIMESTAMP = pa.timestamp("us")
FIRST_NUMBER = {"account": 10_001, "order": 100_001, "refund": 5_001, "product": 1_001, "person": 1}
"""The shop counts from here."""

_ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i"})
_DOMAINS = ("example.com", "example.org")


def _spelled(part: str, spelling: str, before: str = "", after: str = "") -> str:
    changed = part.title() if spelling == "title" else part.upper() if spelling == "upper" else part
    return before + changed + after if spelling == "blanks" else changed


@cache
def _address_parts() -> tuple[pa.Array, pa.Array]:
    """What stands before and after the number in an address, for every spelling."""
    names = [
        _spelled(f"{first}.{last}.".lower().translate(_ASCII), spelling, before=" ")
        for spelling in SPELLINGS for first in FIRST_NAMES for last in LAST_NAMES
    ]  # fmt: skip
    return strings(names), strings([_spelled(f"@{domain}", spelling, after="  ") for spelling in SPELLINGS for domain in _DOMAINS])


def column(values: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of integers or doubles over the array's own memory; null where absent.

    `pa.array` would import pandas, if that is installed, only to see that an array is not one of its own.
    """
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [_validity(absent), pa.py_buffer(values)])


def _validity(absent: NDArray[np.bool_] | None) -> pa.Buffer | None:
    return None if absent is None else pa.py_buffer(np.packbits(~absent, bitorder="little"))


def strings(values: Sequence[str]) -> pa.Array:
    """A text column of a short list."""
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(encoded), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))])


def numbers(kind: str, places: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """The shop's numbers for things counted from 0, as text; null where absent."""
    return column(places.astype(np.int64) + FIRST_NUMBER[kind], absent).cast(pa.string())


def line_ids(order_ids: pa.Array, line: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Order id, hyphen, place of the line in the order counted from 1; null where absent."""
    return pc.binary_join_element_wise(order_ids, column(line, absent).cast(pa.string()), strings(("-",))[0])


def amounts(cents: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """DECIMAL(18, 4) from cents of at least 0, written as the 128-bit column that Arrow holds; null where absent."""
    words = np.zeros((len(cents), 2), dtype="<i8")
    np.multiply(cents, 100, out=words[:, 0], casting="unsafe", dtype=np.int64)
    return pa.Array.from_buffers(AMOUNT, len(cents), [_validity(absent), pa.py_buffer(words)])


def timestamps(opened_at: datetime, seconds: NDArray[np.int32], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """UTC without zone, microseconds."""
    since_1970 = int(np.datetime64(opened_at, "s").astype(np.int64))
    return column((seconds.astype(np.int64) + since_1970) * 1_000_000, absent).cast(TIMESTAMP)


def labels(codes: NDArray[Any], values: Sequence[str], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """values[code] as a dictionary column; null where absent.

    The values must differ: for a repeated one Arrow leaves unset memory in the dictionary page, and no file equals another.
    """
    return pa.DictionaryArray.from_arrays(column(codes.astype(np.int32), absent), strings(values))


def texts(codes: NDArray[Any], values: Sequence[str], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """values[code] as plain text, which CSV needs; null where absent."""
    return strings(values).take(column(codes.astype(np.int32), absent))


def emails(identities: Identities, person: NDArray[Any], spelling: NDArray[Any] | int, absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Addresses of those people, spelled as the indices in SPELLINGS say; null where absent."""
    if absent is not None:
        # Most orders name an account: make addresses only for those that do not.
        present = np.flatnonzero(~absent)
        made = emails(identities, person[present], spelling if isinstance(spelling, int) else spelling[present])
        places = np.zeros(len(person), dtype=np.int32)
        places[present] = np.arange(len(present), dtype=np.int32)
        return made.take(column(places, absent))
    name = identities.name[person] + np.int32(len(FIRST_NAMES) * len(LAST_NAMES)) * np.asarray(spelling, dtype=np.int32)
    domain = identities.domain[person] + np.int32(len(_DOMAINS)) * np.asarray(spelling, dtype=np.int32)
    names, domains = _address_parts()
    return pc.binary_join_element_wise(names.take(column(name)), numbers("person", person), domains.take(column(domain)), strings(("",))[0])
