"""A damaged warehouse must come back by itself, and the night must end as the one that nothing happened to.

    python -m tests.campaigns.damage

kills a night of a small sample shop while its write-ahead log is full, flips bits in the log and cuts it off, damages and removes
the database file, and opens each of these. What comes back must be one of few warehouses; from each of them the night is run
again, and all that it leaves behind is compared with its twin's.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regulars.home import Home
from regulars.warehouse import WarehouseRestored, open_warehouse
from tests.campaigns.kills import Shop, shop
from tests.campaigns.twins import differences, state, tables

FULL_LOG = 20_000
HEADER = 3 * 4096
BLOCK = 256 * 1024


@dataclass(frozen=True)
class Damage:
    """What is done to a home, and where."""

    what: str
    spoil: Callable[[Path], None]
    is_log: bool


def damages(log_size: int, seed: int) -> Iterator[Damage]:
    """30 flipped bits and 10 cuts of the log; 20 of the database's header, 4 cuts, and the file removed."""
    chance = random.Random(seed)  # noqa: S311 - no secret depends on it
    for _ in range(30):
        yield Damage("bit of the log", _flip(chance.randrange(log_size), chance.randrange(8)), is_log=True)
    for _ in range(10):
        yield Damage("cut log", _cut(chance.randrange(log_size)), is_log=True)
    for _ in range(20):
        yield Damage("bit of the header", _flip(chance.randrange(HEADER), chance.randrange(8)), is_log=False)
    for size in (0, 5, 4096, HEADER + BLOCK // 2):
        yield Damage("cut file", _cut(size), is_log=False)
    yield Damage("lost file", Path.unlink, is_log=False)


def _flip(position: int, bit: int) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[position] ^= 1 << bit
        file.write_bytes(content)

    return spoil


def _cut(size: int) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, size)


@contextmanager
def night_with_a_full_log(killed_shop: Shop) -> Iterator[tuple[Home, Any]]:
    """A home whose night was killed while the log held much that was not in the file, and what the tool held then."""
    for _ in range(20):
        home = killed_shop.copy()
        log = home.warehouse.with_name(f"{home.warehouse.name}.wal")

        def is_full(log: Path = log) -> bool:
            return log.exists() and log.stat().st_size > FULL_LOG

        killed_shop.kill_when(home, is_full)
        if is_full():
            yield home, copy.deepcopy(killed_shop.audience)
            shutil.rmtree(home.path)
            return
        shutil.rmtree(home.path)
    raise AssertionError("the log was never full")


def campaign(killed_shop: Shop, folder: Path, seed: int = 1) -> tuple[int, list[str]]:
    """How many damages were done, and what came out wrong."""
    wrong: list[str] = []
    run_again: dict[str, list[str]] = {}
    done = 0
    with night_with_a_full_log(killed_shop) as (killed, audience):
        log = killed.warehouse.with_name(f"{killed.warehouse.name}.wal")
        before = state(killed)
        for damage in damages(log.stat().st_size, seed):
            done += 1
            home = Home.at(Path(shutil.copytree(killed.path, folder / "damaged", symlinks=True)))
            damage.spoil(home.path / log.relative_to(killed.path) if damage.is_log else home.warehouse)
            try:
                with open_warehouse(home):
                    pass
            except WarehouseRestored:
                pass
            with open_warehouse(home):
                pass
            after = state(home)
            wrong += [f"{damage.what}: the state's {name} changed" for name in differences(before, after) if name != "runs"]
            kind = str(sorted(tables(home.warehouse).items())) + str(after["runs"])
            if kind not in run_again:
                run_again[kind] = [damage.what]
                killed_shop.audience = copy.deepcopy(audience)
                wrong += [f"{damage.what}: {name} differs from the twin's" for name in killed_shop.ends_otherwise(home)]
            else:
                run_again[kind].append(damage.what)
                shutil.rmtree(home.path)
    for found in run_again.values():
        print(f"{len(found):>4} of one warehouse: {', '.join(sorted(set(found)))}", flush=True)
    return done, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="damage-") as folder, shop(Path(folder)) as killed_shop:
        done, wrong = campaign(killed_shop, Path(folder), arguments.seed)
    print(f"{done} damages, {len(wrong)} things that came out wrong; {time.monotonic() - begun:.0f} s")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
