"""python -m models train|cutoffs|needs-training --as-of DATE, python -m models backtest …"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from models.backtest import backtest
from models.train import train
from models.training_cutoffs import cutoffs_of_home
from models.training_need import why_training_is_due
from regulars.command import as_of_argument, iso_date, run_command
from regulars.home import Home
from regulars.progress import say
from regulars.run import is_past

IS_FRESH = 1
"""Exit code of `needs-training` when there is no need."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m models", description="Train churn and lifetime-value models.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train", help="train on past cutoffs, and promote the model if it is not worse than the baselines")
    cutoffs = verbs.add_parser("cutoffs", help="show the past cutoffs that a training learns from, for `python -m regulars build`")
    need = verbs.add_parser("needs-training", help=f"exit 0 when the next night should train first, {IS_FRESH} when it need not")
    for verb in (training, cutoffs, need):
        as_of_argument(verb)
    training.set_defaults(kind="training")
    past = verbs.add_parser("backtest", help="predict an order log at a past date, as a night then would have, in a throw-away home")
    past.add_argument("--orders", required=True, type=Path, metavar="FILE", help="CSV or Parquet: customer_id, ordered_at, net_revenue")
    past.add_argument("--cutoff", required=True, type=iso_date, metavar="DATE", help="only orders before this day's start are known")
    past.add_argument("--horizon", required=True, type=int, metavar="DAYS", help="horizon of churn and of value")
    past.add_argument("--out", required=True, type=Path, metavar="FILE", help="Parquet file to write")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "backtest":
        return run_command(lambda: backtest(chosen.orders, chosen.cutoff, chosen.horizon, chosen.out))
    needs: list[bool] = []
    actions = {
        "train": lambda home: train(home, chosen.as_of, chosen.kind),
        "cutoffs": lambda home: _show_cutoffs(home, chosen.as_of),
        "needs-training": lambda home: needs.append(_is_due(home, chosen.as_of)),
    }
    code = run_command(lambda: actions[chosen.verb](Home.from_environment()))
    return IS_FRESH if needs == [False] else code


def _is_due(home: Home, as_of: date) -> bool:
    why = None if is_past(home, as_of) else why_training_is_due(home, as_of)
    if why is not None:
        say(f"A training comes first: {why}")
    return why is not None


def _show_cutoffs(home: Home, as_of: date) -> None:
    for cutoff in cutoffs_of_home(home, as_of):
        print(cutoff)


if __name__ == "__main__":
    sys.exit(main())
