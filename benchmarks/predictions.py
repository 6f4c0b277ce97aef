"""`python -m benchmarks.predictions`: backtests of public shops, into the tables of docs/predictions.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.marked_blocks import block, replaced
from benchmarks.measurement import measure
from models.evaluation import churn_metrics, quantile_metrics, value_metrics
from models.prediction import Figures
from regulars.command import run_command
from regulars.errors import RegularsError

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "predictions.md"
NAMES_OF_THE_BENCH = {"ece": "ece10", "gini": "gini_norm", "top_tenth_share": "top10_capture"}
"""Our metrics that the bench calls otherwise."""
AGREEMENT = 0.02
"""By how much of itself a metric of ours may differ from the bench's, which breaks ties by lot."""


@dataclass(frozen=True)
class Task:
    name: str
    title: str
    file: str
    cutoff: date
    horizon_days: int


TASKS = (
    Task("orii_90", "Online Retail II, 90 days", "online_retail_II_orders.parquet", date(2011, 9, 10), 90),
    Task("orii_180", "Online Retail II, 180 days", "online_retail_II_orders.parquet", date(2011, 6, 12), 180),
    Task("cdnow_273", "CDNOW, 273 days", "cdnow_orders.parquet", date(1997, 10, 1), 273),
    Task("cdnow_180", "CDNOW, 180 days", "cdnow_orders.parquet", date(1998, 1, 1), 180),
)
COVERAGE = "coverage"


class BenchDisagrees(RegularsError):
    """A metric of ours is another number than the bench's of the same name."""


@dataclass(frozen=True)
class Judged:
    """What came of the customers of a backtest, each of shape (n,), and our metrics of what was predicted."""

    customers_count: int
    churned_share: float
    mean_revenue: float
    metrics: Mapping[str, float]
    coverage: Mapping[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predictions", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=[], help=f"of {', '.join(task.name for task in TASKS)} (default: all)")
    default = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="folder of the order logs (default: REGULARS_DATA, ../shared/data)")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose tables are written anew (default: docs/predictions.md)")
    parser.add_argument("--keep", type=Path, help="folder for the predictions (default: none is kept)")
    chosen = parser.parse_args()
    if unknown := set(chosen.tasks) - {task.name for task in TASKS}:
        parser.error(f"there is no task {', '.join(sorted(unknown))}; there are {', '.join(task.name for task in TASKS)}")
    tasks = [task for task in TASKS if not chosen.tasks or task.name in chosen.tasks]
    return run_command(lambda: write_tables(tasks, chosen.data, chosen.page, chosen.keep))


def write_tables(tasks: Sequence[Task], data: Path, page: Path, keep: Path | None) -> None:
    """Run each task whose data are there and replace its tables on the page; the others stand as they are."""
    with tempfile.TemporaryDirectory(prefix="regulars-predictions-") as folder:
        for task in tasks:
            if not (data / task.file).exists():
                _say(f"{task.name}: skipped, for {data / task.file} is not there; its tables stand as they are")
                continue
            out = (keep or Path(folder)) / f"{task.name}.parquet"
            _backtest(task, data / task.file, out)
            judged = judge(pq.read_table(data / task.file), pq.read_table(out), task.cutoff, task.horizon_days)
            bench = _bench(task, data.parent / "bench" / "score.py", out)
            text = replaced(page.read_text(encoding="utf-8"), task.name, task_table(task, judged, bench))
            text = replaced(text, COVERAGE, with_row(block(text, COVERAGE), coverage_row(task, judged.coverage)))
            page.write_text(text, encoding="utf-8")


def _backtest(task: Task, orders: Path, out: Path) -> None:
    command = [sys.executable, "-m", "models", "backtest", "--orders", str(orders), "--cutoff", task.cutoff.isoformat()]
    command += ["--horizon", str(task.horizon_days), "--out", str(out)]
    measured, _ = measure(command, {"PYTHONPATH": str(ROOT)})
    _say(
        f"{task.name}: {measured.seconds:,.0f} s, {measured.processor_seconds:,.0f} s of processors, "
        f"{measured.peak_bytes / 2**30:.1f} GiB of memory"
    )


def judge(orders: pa.Table, predictions: pa.Table, cutoff: date, horizon_days: int) -> Judged:
    """Our metrics of the predictions, by the orders of the log in the horizon."""
    start = pa.scalar(cutoff, pa.date32()).cast(pa.timestamp("us"))
    end = pa.scalar(cutoff + timedelta(days=horizon_days), pa.date32()).cast(pa.timestamp("us"))
    days = orders["ordered_at"].cast(pa.timestamp("us"))
    later = orders.filter(pc.and_(pc.greater_equal(days, start), pc.less(days, end)))
    ids = pc.cast(later["customer_id"], pa.string())
    spent = pa.table({"customer_id": ids, "net_revenue": later["net_revenue"]}).group_by("customer_id").aggregate([("net_revenue", "sum")])
    joined = predictions.join(spent, "customer_id", join_type="left outer").sort_by("customer_id")
    brought = joined["net_revenue_sum"]
    has_churned, revenue = pc.is_null(brought).to_numpy(zero_copy_only=False), _figures(pc.fill_null(brought, 0.0))
    churn, value = _figures(joined["churn_probability"]), _figures(joined["expected_value"])
    coverage = {}
    if joined["value_q90"].null_count == 0:
        coverage = quantile_metrics(np.stack([_figures(joined[name]) for name in ("value_q50", "value_q80", "value_q90")]), value, revenue)
    return Judged(
        len(joined),
        float(has_churned.mean()),
        float(revenue.mean()),
        churn_metrics(churn, has_churned) | value_metrics(value, revenue),
        coverage,
    )


def task_table(task: Task, judged: Judged, bench: Mapping[str, Sequence[str]]) -> str:
    """The task's table: our metric, and where the bench is there, the best peer on it, the difference and the goal."""
    share, mean = f"{100 * judged.churned_share:.1f} %", f"{judged.mean_revenue:.2f}"
    lines = [
        f"**{task.title}: {judged.customers_count:,} customers, of whom {share} did not come back; {mean} a customer**",
        "",
        "| metric | ours | best peer | difference (95 %) | goal |",
        "|---|---|---|---|---|",
    ]
    others = dict(bench)
    for metric, ours in judged.metrics.items():
        theirs = others.pop(NAMES_OF_THE_BENCH.get(metric, metric), None)
        if theirs and abs(float(theirs[0]) - ours) > AGREEMENT * abs(ours):
            raise BenchDisagrees(f"{task.name}: {metric} is {ours:.4f} by models/evaluation.py and {theirs[0]} by the bench's score.py")
        lines.append(f"| {metric} | {ours:.4f} | {' | '.join(theirs[1:] if theirs else ('–', '–', ''))} |")
    return "\n".join([*lines, *(f"| {metric} | {' | '.join(row)} |" for metric, row in others.items())])


def coverage_row(task: Task, coverage: Mapping[str, float]) -> str:
    """How many came out above the stated 90 % quantile, in per cent: of all, of those above 0, and of these by thirds."""
    names = ["above_q90_share", "above_positive_q90_share", *(f"above_positive_q90_share_third_{third}" for third in (1, 2, 3))]
    figures = [f"{100 * coverage[name]:.1f}" if name in coverage else "–" for name in names]
    return f"| {task.title} | {' | '.join(figures)} |"


def with_row(table: str, row: str) -> str:
    """The table with the row in place of the one that begins alike, or at its end."""
    label = row[: row.index("|", 1) + 1]
    lines = table.splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith(label)]
    return "\n".join([row if place in places else line for place, line in enumerate(lines)] + ([] if places else [row]))


def _bench(task: Task, score: Path, predictions: Path) -> dict[str, list[str]]:
    """Metric → ours, best peer, difference and goal, as the bench prints them; empty without it."""
    if not score.exists():
        _say(f"{task.name}: no {score}, so there are no peers to compare with")
        return {}
    done = subprocess.run([sys.executable, str(score), task.name, str(predictions)], capture_output=True, text=True, check=False)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if len(row) == 5 and row[0] != "metric"}


def _figures(column: pa.ChunkedArray) -> Figures:
    figures: Figures = column.cast(pa.float64()).to_numpy()
    return figures


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
