"""A backtest: what would have been predicted at a past date, by a throw-away home that knows only what lies before it.

The stages are run by their commands, as a training and a night run them: this module imports none of them.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from models.training_cutoffs import cutoffs_of_home
from regulars.errors import InputError, RegularsError
from regulars.home import Home
from regulars.tables import CUSTOMER_SCORES
from regulars.warehouse import open_warehouse

REQUIRED = ("customer_id", "ordered_at", "net_revenue")
OUTPUTS = tuple(column.name for column in CUSTOMER_SCORES.columns if column.name not in ("as_of_date", "currency"))
ROOT = Path(__file__).resolve().parent.parent


def backtest(orders: Path, cutoff: date, horizon_days: int, out: Path) -> None:
    """Predict at `cutoff` every customer of an order log with an order before it, and write the predictions as Parquet.

    Args:
        orders: CSV or Parquet with customer_id, ordered_at and net_revenue, one row per order; with order_id and category
            too, one row per order line.
        horizon_days: of churn and of value.

    Raises:
        InputError: the file is missing, or is not such a log.
        StageFailed: a stage ended with an error, which stands above.
    """
    with tempfile.TemporaryDirectory(prefix="regulars-backtest-") as folder:
        home = throw_away_home(Path(folder), orders, cutoff, horizon_days)
        _run(home, cutoff, "ingestion", "run")
        _run(home, cutoff, "regulars", "build", "--layer", "staging")
        cutoffs = [day.isoformat() for day in cutoffs_of_home(home, cutoff)]
        _run(home, cutoff, "regulars", "build", "--layer", "features", *(["--cutoffs", *cutoffs] if cutoffs else []))
        _run(home, cutoff, "models", "train")
        _run(home, cutoff, "scoring", "score")
        with open_warehouse(home, role="scorer", read_only=True) as warehouse:
            chosen = ", ".join(OUTPUTS)
            predictions = warehouse.arrow(
                f"select {chosen} from {CUSTOMER_SCORES.qualified_name} where as_of_date = ? order by customer_id", [cutoff]
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(predictions, out)
    print(f"{predictions.num_rows:,} customers predicted as of {cutoff} for {horizon_days} days: {out}")


class StageFailed(RegularsError):
    """A stage of a backtest ended with an error."""


def _columns_of(orders: Path) -> list[str]:
    if not orders.is_file():
        raise InputError(f"{orders}: there is no such file; expected a CSV or Parquet file of orders")
    columns = _parquet_columns(orders) if orders.suffix == ".parquet" else _header(orders)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise InputError(
            f"{orders}: no column {', '.join(missing)} in a header separated by commas; "
            f"expected {', '.join(REQUIRED)}, and if there are such, order_id, category"
        )
    if "category" in columns and "order_id" not in columns:
        raise InputError(
            f"{orders}: a column category, and no order_id that says which rows are one order; add an order_id, or leave category out"
        )
    return columns


def _parquet_columns(orders: Path) -> list[str]:
    try:
        return list(pq.read_schema(orders).names)
    except pa.ArrowInvalid:
        raise InputError(
            f"{orders}: this is no Parquet file, whatever its name says; expected Parquet, or CSV in a file named .csv"
        ) from None


def _header(orders: Path) -> list[str]:
    """The names of the columns; what else a file may have wrong, the ingestion tells row by row."""
    with orders.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        return next(csv.reader(lines), [])


def throw_away_home(folder: Path, orders: Path, cutoff: date, horizon_days: int) -> Home:
    """A home in an empty folder whose one source is the file of orders, up to the cutoff.

    Raises:
        InputError: the file is missing, or is not such a log.
    """
    columns = _columns_of(orders)
    has_lines = {"order_id", "category"} <= set(columns)
    mapped: dict[str, object] = {"account_id": "customer_id", "ordered_at": "ordered_at", "net_revenue": "net_revenue"}
    if "order_id" in columns:
        mapped["order_id"] = "order_id"
    if has_lines:
        # A category is a customer's through its products: each stands for one of its own.
        mapped |= {"category": "category", "product_id": "category", "quantity": {"constant": "1"}}
    mapping = {
        "path": orders.name,
        # Rows of one order are its lines; without lines, equal rows are two orders.
        "row_key": ["order_id"] if "order_id" in columns and not has_lines else "none",
        "columns": mapped,
        "exclude": [{"reason": "on or after the cutoff", "when": f"ordered_at >= '{cutoff}'"}],
    }
    table = "order_lines" if has_lines else "orders"
    no_currency = "XXX"  # as ISO 4217 has it: an order log does not say which
    configuration = {
        "shop.yml": {"name": "Backtest", "time_zone": "UTC", "currency": no_currency},
        "prediction.yml": {"churn_horizon_days": horizon_days, "value_horizon_days": horizon_days},
        "sources.yml": {"sources": {"shop": {"type": "files", "path": str(orders.resolve().parent), "tables": {table: mapping}}}},
    }
    (folder / "config").mkdir()
    for name, content in configuration.items():
        (folder / "config" / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return Home.at(folder)


def _run(home: Home, cutoff: date, stage: str, verb: str, *more: str) -> None:
    command = [sys.executable, "-m", stage, verb, "--as-of", cutoff.isoformat(), "--kind", "training", *more]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"REGULARS_HOME": str(home.path)}, check=False)
    if done.returncode != 0:
        raise StageFailed(f"`{stage} {verb}` ended with exit code {done.returncode}; nothing was written. Mend what it says above")
