"""`python -m benchmarks.scoring`: the rate of the scoring beside that of the bare members, into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa
import xgboost as xgb

from benchmarks.machine import environment_of, machine
from benchmarks.marked_blocks import replaced
from benchmarks.measurement import measure
from benchmarks.shop import COLD_NIGHT, ROOT, make_shop
from models.arithmetic import on_one_thread
from models.boosting import THREADS
from models.feature_matrix import FEATURES, Matrix
from models.prediction import Figures
from models.serving import Scorer, scorer_for
from models.trained_model import CHURN_FILES, VALUE_FILES, TrainedModel
from regulars.command import run_command
from regulars.errors import RegularsError
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES
from regulars.warehouse import open_warehouse
from scoring.score import ROWS_PER_BATCH, scored

ORDERS, ROUNDS = 250_000, 9
BARE = "bare members"


@dataclass(frozen=True)
class BareBatch:
    """A batch as the members take it: all that had to be made of the Arrow columns before is made."""

    rows: pa.RecordBatch
    matrix: Matrix
    terms: Figures | None
    """Of the line; None where it has no weight."""

    @classmethod
    def of(cls, model: TrainedModel, rows: pa.RecordBatch) -> BareBatch:
        (matrix, columns, offsets), line = model.seen(rows), model.churn.line
        return cls(rows, matrix, None if line is None else line.standardised(matrix, columns.names, offsets))


@dataclass(frozen=True)
class BareMembers:
    """The members of a blend by themselves: nothing is encoded, blended, anchored, bounded or written."""

    model: TrainedModel
    boosters: Sequence[xgb.Booster]

    @classmethod
    def of(cls, model: TrainedModel) -> BareMembers:
        members = [getattr(model.churn, member) for member in CHURN_FILES] + [getattr(model.value, member) for member in VALUE_FILES]
        return cls(model, [_booster(member.content) for member in members if member is not None])

    def predict(self, batch: BareBatch) -> list[Figures]:
        """The margin of each trees, of the line, and what buy-till-you-die expects of churn and value, each of shape (n,)."""
        # As the blend does: threads of linear algebra that wait for each other would make the bare members slower than it.
        with on_one_thread():
            offsets = self.model.offsets(batch.rows)
            alone = np.zeros(len(batch.matrix), np.float32)
            trees = [booster.inplace_predict(batch.matrix, predict_type="margin", base_margin=alone) for booster in self.boosters]
            line = self.model.churn.line
            lines = [] if line is None or batch.terms is None else [batch.terms @ np.array(line.weights[1:])]
            return [*trees, *lines, offsets.churn, offsets.value]


def _booster(content: bytes) -> xgb.Booster:
    booster = xgb.Booster({"nthread": THREADS})
    booster.load_model(bytearray(content))
    return booster


@dataclass(frozen=True)
class Rates:
    """Seconds of each round that all batches took, by what was done with them, by the clock on the wall and of processors."""

    customers: int
    wall: Mapping[str, Sequence[float]]
    processor: Mapping[str, Sequence[float]]

    def rate(self, name: str) -> float:
        """Customers a second, in the middle round."""
        return self.customers / median(self.wall[name])

    def ratio(self, name: str) -> float:
        """Of the bare members' rate; in the middle of the rounds, whose two neighbours were alike busy with other work."""
        return median(bare / ours for bare, ours in zip(self.wall[BARE], self.wall[name], strict=True))

    def processor_ratio(self, name: str) -> float:
        return median(bare / ours for bare, ours in zip(self.processor[BARE], self.processor[name], strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"of the sample shop (default: {ORDERS:,})")
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="page that is written (default: docs/benchmarks.md)"
    )
    options = parser.parse_args()
    return run_command(lambda: run(options.orders, options.page))


def run(orders: int, page: Path) -> None:
    """Train a sample shop, measure on its own customers, and write what was measured."""
    with tempfile.TemporaryDirectory(prefix="regulars-benchmark-") as scratch:
        home = make_shop(Path(scratch) / "shop", orders, has_next_day=False).home
        measure([sys.executable, "-m", "regulars", "train", "--as-of", COLD_NIGHT.isoformat()], environment_of(home))
        ran_on = machine()
        rates = measure_home(home, COLD_NIGHT, ROUNDS)
    page.write_text(replaced(page.read_text(encoding="utf-8"), "scoring", scoring_table(rates, ran_on)), encoding="utf-8")


def measure_home(home: Home, as_of: date, rounds: int) -> Rates:
    """The rates on the batches that the scoring of the trained home would read.

    Raises:
        RegularsError: what scores the home is no blend, so there are no members to compare with.
    """
    settings = HomeSettings(home)
    columns = ", ".join(("customer_id", *(feature.name for feature in FEATURES)))
    nothing = "cast(null as varchar) as favourite_category, cast(null as double) as category_affinity"
    with open_warehouse(home, role="scorer", read_only=True) as warehouse:
        scorer = scorer_for(home, warehouse, as_of, settings)
        features = f"select {columns}, {nothing} from {CUSTOMER_FEATURES.qualified_name} where as_of_date = ?"
        batches = list(warehouse.batches(features, [as_of], rows_per_batch=ROWS_PER_BATCH))
    return measure_rates(scorer, batches, settings, rounds)


def measure_rates(scorer: Scorer, batches: Sequence[pa.RecordBatch], settings: HomeSettings, rounds: int) -> Rates:
    """All batches through each, one after the other, round after round; the first round, which warms up, does not count."""
    model = scorer.predictor
    if not isinstance(model, TrainedModel):
        raise RegularsError(f"{scorer.model_version} has no members to compare with: {scorer.why}. Expected a blend; take more orders")
    members, bare = BareMembers.of(model), [BareBatch.of(model, batch) for batch in batches]
    works: dict[str, Callable[[], object]] = {
        BARE: lambda: [members.predict(batch) for batch in bare],
        "predict": lambda: [model.predict(batch) for batch in batches],
        "score": lambda: list(scored(batches, scorer, COLD_NIGHT, settings)),
    }
    wall: dict[str, list[float]] = {name: [] for name in works}
    processor: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            begun, spent = perf_counter(), process_time()
            work()
            processor[name].append(process_time() - spent)
            wall[name].append(perf_counter() - begun)
    return Rates(
        sum(batch.num_rows for batch in batches),
        {name: seconds[1:] for name, seconds in wall.items()},
        {name: seconds[1:] for name, seconds in processor.items()},
    )


def scoring_table(rates: Rates, ran_on: str) -> str:
    lines = [
        f"**{rates.customers:,} customers in batches of {ROWS_PER_BATCH:,}, {len(rates.wall[BARE])} rounds.** {ran_on}.",
        "",
        "| on the same batches | customers a second | of the bare members' rate | of their rate by processor |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {name} | {rates.rate(name):,.0f} | {rates.ratio(name):.2f} | {rates.processor_ratio(name):.2f} |" for name in rates.wall]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
