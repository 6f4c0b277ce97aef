"""`python -m benchmarks.training [100k-customers 1m-customers 10m-customers]`: a training of a sample shop, into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import environment_of, machine
from benchmarks.marked_blocks import replaced
from benchmarks.measurement import OTHERWISE, Measurement, current_step, measure, step_seconds, step_summaries
from benchmarks.shop import COLD_NIGHT, ROOT, make_shop
from regulars.command import run_command
from regulars.home import Home
from regulars.warehouse.duckdb import connect

SIZES = {"100k-customers": 100_000, "1m-customers": 1_000_000, "10m-customers": 10_000_000}
ORDERS_PER_BUYER = 2.22
"""Orders until the cold night of one customer who has ordered by then."""

BEFORE = ("extract", "land", "build staging")
"""Beginnings of the steps that bring the shop into the warehouse: the nights before a training have done them."""

MOST_SECONDS, MOST_BYTES = 20 * 60, 16 * 2**30
"""What a training of 10 million customers may take."""

GIB = 2**30


@dataclass(frozen=True)
class TrainingResult:
    """One training, cold: the shop is landed and staged by the same run.

    Attributes:
        summaries: by step, what it said that it did.
    """

    customers: int
    orders: int
    machine: str
    measured: Measurement
    summaries: dict[str, str]

    @property
    def seconds(self) -> float:
        """Of the training alone: without what brings the shop into the warehouse."""
        return self.measured.seconds - sum(spent for step, spent in self.measured.step_seconds.items() if step.startswith(BEFORE))

    @property
    def processor_seconds(self) -> float:
        return sum(spent for step, spent in self.measured.step_processor_seconds.items() if not step.startswith(BEFORE))

    @property
    def peak_bytes(self) -> int:
        return max(used for step, used in self.measured.step_peak_bytes.items() if not step.startswith(BEFORE))

    @property
    def peak_bytes_before(self) -> int:
        return max((used for step, used in self.measured.step_peak_bytes.items() if step.startswith(BEFORE)), default=0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["1m-customers"], help=f"of {', '.join(SIZES)} (default: 1m-customers)")
    parser.add_argument(
        "--folder", type=Path, help="for the shops, emptied at the end; 10m-customers needs some 30 GB (default: a temporary one)"
    )
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="page that is written (default: docs/benchmarks.md)"
    )
    options = parser.parse_args()
    if unknown := set(options.sizes) - set(SIZES):
        parser.error(f"there is no size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    return run_command(lambda: run(options.sizes, options.folder, options.page))


def run(sizes: list[str], folder: Path | None, page: Path) -> None:
    """Measure a training of each size and write what was measured, size after size."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="regulars-benchmark-") as scratch:
        for size in sizes:
            result = measure_training(Path(scratch) / size, SIZES[size])
            page.write_text(replaced(page.read_text(encoding="utf-8"), f"training {size}", training_table(result)), encoding="utf-8")
            shutil.rmtree(Path(scratch) / size)


def measure_training(folder: Path, customers: int) -> TrainingResult:
    """Train a sample shop of about so many customers, from its files to its model."""
    ran_on = machine()
    shop = make_shop(folder, round(customers * ORDERS_PER_BUYER), has_next_day=False)
    command = [sys.executable, "-m", "regulars", "train", "--as-of", COLD_NIGHT.isoformat()]
    measured, _ = measure(command, environment_of(shop.home), current_step(shop.home))
    run_id = f"training-{COLD_NIGHT}-1"
    measured.step_seconds = step_seconds(shop.home, run_id)
    told = {step: said.replace(f"{shop.home.path}/", "") for step, said in step_summaries(shop.home, run_id).items()}
    return TrainingResult(_customers(shop.home), shop.orders, ran_on, measured, told)


def training_table(result: TrainingResult) -> str:
    """The steps of a training, and what of them counts."""
    measured = result.measured
    before = f"{measured.seconds - result.seconds:,.0f} s, {result.peak_bytes_before / GIB:.1f} GiB"
    lines = [
        (
            f"**{result.customers:,} customers, {result.orders:,} orders: {result.seconds:,.0f} s, "
            f"{result.processor_seconds:,.0f} s of processors, {result.peak_bytes / GIB:.1f} GiB.** "
            f"To bring the shop into the warehouse before: {before}. {result.machine}."
        ),
        "",
        "| step | seconds | processor | memory | what it did |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    seconds = measured.step_seconds | {OTHERWISE: measured.seconds - sum(measured.step_seconds.values())}
    for step, spent in seconds.items():
        processor, used = measured.step_processor_seconds.get(step, 0.0), measured.step_peak_bytes.get(step, 0)
        lines.append(f"| {step} | {spent:,.1f} | {processor:,.1f} | {used / GIB:.1f} GiB | {result.summaries.get(step, '')} |")
    return "\n".join(lines)


def _customers(home: Home) -> int:
    with connect(home.warehouse, read_only=True) as database:
        (count,) = database.execute("select count(distinct customer_id) from intermediate.int_orders").fetchall()[0]
    return int(count)


if __name__ == "__main__":
    sys.exit(main())
