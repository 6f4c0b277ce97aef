"""Random numbers in independent streams, so that blocks can be drawn in parallel and in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Block = TypeVar("Block")

WORKERS = 2


class Stream(IntEnum):
    """What the numbers are for. The values are part of the seed: a new stream takes a new one."""

    ARRIVALS = 1
    LIVES = 2
    IDENTITIES = 3
    BASKETS = 4
    REFUNDS = 5
    CONSENTS = 6


def generator(seed: int, stream: Stream, block: int = 0) -> np.random.Generator:
    """The random numbers of one block of one stream, independent of all others."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence((seed, int(stream), block))))


class Lots:
    """A discrete distribution over 0 … k − 1, rounded to steps of 1/65,536: one 16-bit draw and one look-up a value.

    `shares`, shape (k,), are the probabilities after rounding, which formulas about the draws must use.
    """

    def __init__(self, weights: Sequence[float]):
        share_edges = np.cumsum([0.0, *weights]) / np.sum(weights)
        counts = np.diff(np.rint(share_edges * 65_536).astype(np.int64))
        self._table = np.repeat(np.arange(len(weights), dtype=np.uint8), counts)
        self.shares: NDArray[np.float64] = counts / 65_536

    def draw(self, chance: np.random.Generator, size: int) -> NDArray[np.uint8]:
        """So many independent draws; shape (size,)."""
        return self._table[chance.integers(0, 65_536, size, dtype=np.uint16)]


def by_blocks(simulate: Callable[[int, int, int], Block], size: int, block_size: int) -> list[Block]:
    """simulate(block, first, last) for the blocks of 0 … size, in their order; NumPy lets threads run at the same time."""
    firsts = range(0, size, block_size)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda first: simulate(first // block_size, first, min(first + block_size, size)), firsts))


def in_time_order(seconds: NDArray[np.int32]) -> NDArray[np.int64]:
    """Indices that sort by time, equal times by index. Sorting one packed integer is several times as fast as argsort."""
    packed = (seconds.astype(np.int64) << 32) | np.arange(len(seconds))
    packed.sort()
    packed &= 0xFFFF_FFFF
    return packed
