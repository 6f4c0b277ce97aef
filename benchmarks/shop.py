"""The shops that are measured: a home with files until one night, and what the next day brings, kept beside them."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from regulars.home import Home
from regulars.sample_shop import ShopParameters, simulate

ROOT = Path(__file__).resolve().parent.parent
COLD_NIGHT, ORDINARY_NIGHT = date(2025, 6, 30), date(2025, 7, 1)
ORDERS_PER_CUSTOMER = 2.143
"""Orders until the cold night of one person of `ShopParameters.customers`."""


@dataclass(frozen=True)
class BenchmarkShop:
    """One sample shop of the asked-for size.

    Attributes:
        orders: in the files of the cold night.
        new_orders: in those that the ordinary night finds beside them.
    """

    home: Home
    orders: int
    new_orders: int

    def arrive(self) -> None:
        """Put the files of the next day beside those that are there."""
        for file in self._next_day.rglob("*.*"):
            shutil.copy(file, self.home.var / "sample_shop" / file.relative_to(self._next_day))

    @property
    def _next_day(self) -> Path:
        return self.home.path / "next_day"


def make_shop(folder: Path, orders: int, *, has_next_day: bool = True) -> BenchmarkShop:
    """Simulate a shop with about so many orders in a home of its own; what stands in the folder is removed.

    Args:
        has_next_day: whether there is a day that can `arrive`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "config", folder / "config")
    home = Home.at(folder)
    home.private_folder(home.var)
    # In a process of its own, whose memory is gone before anything is measured.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        counts = pool.submit(_simulate, folder, round(orders / ORDERS_PER_CUSTOMER), has_next_day).result()
    return BenchmarkShop(home, *counts)


def _simulate(folder: Path, customers: int, has_next_day: bool) -> tuple[int, int]:
    shop = simulate(ShopParameters(customers=customers))
    until = _export(shop.export, folder / "var" / "sample_shop", COLD_NIGHT, None)
    return until, _export(shop.export, folder / "next_day", ORDINARY_NIGHT, COLD_NIGHT) if has_next_day else 0


def _export(export: object, folder: Path, until: date, since: date | None) -> int:
    """A folder for each table and in it a file for each day, as a shop leaves them that exports what is new."""
    aside = folder.with_name(f"{folder.name}.all")
    counts = export(aside, until, since)  # type: ignore[operator]
    for file in sorted(aside.iterdir()):
        (folder / file.stem).mkdir(parents=True)
        file.rename(folder / file.stem / f"{until}{file.suffix}")
    aside.rmdir()
    return int(counts.orders)
