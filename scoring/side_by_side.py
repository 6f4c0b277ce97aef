"""Batches worked on side by side: NumPy, XGBoost and Arrow let go of Python's lock while they compute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from models.arithmetic import on_one_thread

WORKERS = 2
"""More would hold more batches in memory, and the engine wants processors too."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The work's results in the order of the items, which the caller's thread reads; few of either are held at a time."""
    # The limit holds for the whole process: set within the work, the first to end would lift it for the others.
    with on_one_thread(), ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
