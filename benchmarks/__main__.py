"""`python -m benchmarks [100k 1m 10m 100m]`: nights of sample shops beside a script by hand, into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

from benchmarks.comparison import compare_results
from benchmarks.machine import environment_of, machine
from benchmarks.measurement import current_step, measure, step_seconds
from benchmarks.page import write_page
from benchmarks.result import NightResult, SizeResult, keep_result
from benchmarks.shop import COLD_NIGHT, ORDINARY_NIGHT, ROOT, BenchmarkShop, make_shop
from regulars.command import run_command
from regulars.home import Home

SIZES = {"100k": 100_000, "1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}
ORDERS_TO_TRAIN_ON = 43_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["100k", "1m", "10m"], help=f"of {', '.join(SIZES)} (default: 100k 1m 10m)")
    parser.add_argument("--folder", type=Path, help="for the shops, emptied at the end; 10m needs some 20 GB (default: a temporary one)")
    parser.add_argument("--into", type=Path, default=ROOT / "docs", help="folder of the page and its figures (default: docs)")
    options = parser.parse_args()
    if unknown := set(options.sizes) - set(SIZES):
        parser.error(f"there is no size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    return run_command(lambda: run(options.sizes, options.folder, options.into))


def run(sizes: list[str], folder: Path | None, into: Path) -> None:
    """Measure each size and write what was measured, size after size."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="regulars-benchmark-") as scratch:
        trained = make_shop(Path(scratch) / "trained", ORDERS_TO_TRAIN_ON).home
        _say("training the model on a small shop")
        measure([sys.executable, "-m", "regulars", "train", "--as-of", COLD_NIGHT.isoformat()], environment_of(trained))
        for size in sizes:
            ran_on = machine()
            _say(f"{size}: simulating the shop")
            shop = make_shop(Path(scratch) / size, SIZES[size])
            shutil.copytree(trained.models, shop.home.models)
            cold = _night(shop.home, COLD_NIGHT, yesterday=None)
            shop.arrive()
            ordinary = _night(shop.home, ORDINARY_NIGHT, yesterday=COLD_NIGHT)
            result = SizeResult(size, shop.orders, shop.new_orders, ran_on, cold, ordinary)
            write_page(into, keep_result(into / "benchmarks.json", result))
            _remove(shop)


def _night(home: Home, as_of: date, yesterday: date | None) -> NightResult:
    """One night, then the script by hand on the same files, then the two held against each other."""
    night = [sys.executable, "-m", "regulars", "night", "--as-of", as_of.isoformat()]
    measured, _ = measure(night, environment_of(home), current_step(home))
    measured.step_seconds = step_seconds(home, f"night-{as_of}-1")
    lists, kept = home.path / "bare" / as_of.isoformat(), home.path / "bare" / f"{as_of}.parquet"
    bare = [sys.executable, "-m", "benchmarks.bare", "--home", str(home.path), "--as-of", as_of.isoformat(), "--lists", str(lists)]
    bare += ["--yesterday", str(home.path / "bare" / yesterday.isoformat())] if yesterday else []
    by_hand, printed = measure([*bare, "--keep", str(kept)], environment_of(home))
    by_hand.step_seconds = json.loads(printed)
    # To keep the features for the comparison is no part of the work.
    by_hand.seconds -= by_hand.step_seconds.pop("keep")
    customers = compare_results(home, as_of, kept, lists)
    _say(f"  {as_of}: {measured.seconds:,.1f} s, the script by hand {by_hand.seconds:,.1f} s, {customers:,} customers alike")
    return NightResult(as_of.isoformat(), customers, measured, by_hand)


def _remove(shop: BenchmarkShop) -> None:
    shutil.rmtree(shop.home.path)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
