"""How well reasons hold on a real shop: what contributes to the risk against what lowers it when it is removed.

    python -m tests.campaigns.reasons [--home folder]

trains on Online Retail II as of 2011-09-10 in a throw-away home (or takes one that stands), scores and matches, and prints the figures
that docs/predictions.md gives, with five customers as a marketer reads them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from scipy.special import expit

from models.concepts import CONCEPTS, replaced
from models.contributions import churn_log_odds
from models.serving import scorer_for
from models.training_cutoffs import cutoffs_of_home
from models.training_frame import read_features
from regulars.home import Home
from regulars.run import close_run, resume_run
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from scoring.reasons import LEAST_MOVE, told_of
from scoring.typical import opposites_of

AS_OF = date(2011, 9, 10)
ROOT = Path(__file__).resolve().parents[2]
LEAST_AGREEING = 0.97
COPIES = 10
FIVE = ("17025", "13259", "15342", "14095", "15199")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.reasons", description="How well reasons hold.")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args().home
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        return 0 if agreement(Home.at(given) if given else trained_home(Path(folder))) >= LEAST_AGREEING else 1


def agreement(home: Home) -> float:
    """The share of what contributes whose removal moves the probability the way the contribution says."""
    settings = HomeSettings(home)
    with open_warehouse(home, read_only=True) as warehouse:
        predictor = scorer_for(home, warehouse, AS_OF, settings).predictor
        rows, opposites = read_features(warehouse, AS_OF, sys.maxsize), opposites_of(warehouse, AS_OF, predictor)
        leaving = warehouse.rows(
            "select likely_reason_for_leaving, count(*) from scores.customer_reasons"
            " where as_of_date = ? and is_at_risk group by 1 order by 1",
            [AS_OF],
        )
        five = warehouse.rows(
            "select customer_id, churn_probability, reason_1, reason_2, reason_3, likely_reason_for_leaving, leaving_evidence"
            f" from scores.customer_reasons join scores.customer_scores using (customer_id, as_of_date) where customer_id in {FIVE}"
            " and as_of_date = ? order by churn_probability desc",
            [AS_OF],
        )
    log_odds = churn_log_odds(predictor, rows)
    error = max(
        np.abs(one.contributions.of(rows).sum(axis=0) - log_odds + churn_log_odds(predictor, one.features)).max()
        for one in opposites.values()
    )
    told = told_of(rows, expit(log_odds), predictor, opposites, settings)
    concepts, _ = told.chosen()
    print(f"{rows.num_rows:,} customers, {told.is_at_risk.mean():.0%} at risk; contributions add up to {error:.1e}")
    # Every contribution of a tenth of log odds, whether there are words for it or not.
    tried, agreeing = 0, 0
    for number, concept in enumerate(CONCEPTS):
        moved = []
        for is_at_risk, side in ((True, 1.0), (False, -1.0)):
            at = np.flatnonzero((np.abs(told.contributions[number]) >= 0.1) & (told.is_at_risk == is_at_risk))
            without = churn_log_odds(predictor, replaced(rows.take(at), {concept}, opposites[is_at_risk].features))
            moved.append(side * (expit(log_odds[at]) - expit(without)) * np.sign(told.contributions[number, at]))
        of_concept = np.concatenate(moved)
        tried, agreeing = tried + len(of_concept), agreeing + int((of_concept > 0).sum())
        if len(of_concept):
            print(f"  {concept}: {len(of_concept):,}, {(of_concept > 0).mean():.1%} agree, mean move {of_concept.mean():.3f}")
    print(f"all contributions of a tenth of log odds: {tried:,}, {agreeing / tried:.1%} agree with the removal")
    borne_out = told.moves[~np.isnan(told.moves)]
    moving = (borne_out >= LEAST_MOVE).mean()
    print(f"candidates: {len(borne_out):,}, {(borne_out > 0).mean():.1%} agree, {moving:.1%} move by {LEAST_MOVE:.0%}")
    print("reasons a customer:", dict(enumerate(np.bincount([sum(one is not None for one in column) for column in concepts.T]).tolist())))
    many = rows.take(np.tile(np.arange(rows.num_rows), COPIES))
    began = time.process_time()
    told_of(many, expit(churn_log_odds(predictor, many)), predictor, opposites, settings)
    print(f"{(time.process_time() - began) / many.num_rows * 10_000:.1f} s of a processor for 10,000 customers")
    print("likely reason for leaving:", dict(leaving))
    for row in five:
        print(" ", *row, sep=" | ")
    return agreeing / tried


def trained_home(folder: Path) -> Home:
    """Online Retail II, trained, scored and matched."""
    example = ROOT / "examples" / "online_retail_II"
    data = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data")).resolve()
    (folder / "config" / "segments").mkdir(parents=True)
    for file in (example / "config").glob("*.yml"):
        (folder / "config" / file.name).write_text(file.read_text().replace("../../../shared/data", str(data)))
    for file in (ROOT / "config" / "segments").glob("*.yml"):
        (folder / "config" / "segments" / file.name).write_text(file.read_text())
    home = Home.at(folder)
    _run(home, "training", "ingestion", "run")
    _run(home, "training", "regulars", "build", "--layer", "staging")
    cutoffs = [day.isoformat() for day in cutoffs_of_home(home, AS_OF)]
    _run(home, "training", "regulars", "build", "--layer", "features", "--cutoffs", *cutoffs)
    _run(home, "training", "models", "train")
    close_run(resume_run(home, "training", AS_OF))
    _run(home, "night", "ingestion", "run")
    _run(home, "night", "regulars", "build", "--layer", "staging")
    _run(home, "night", "regulars", "build", "--layer", "features")
    _run(home, "night", "scoring", "score")
    _run(home, "night", "scoring", "match")
    return home


def _run(home: Home, kind: str, *command: str) -> None:
    arguments = [sys.executable, "-m", *command[:2], "--as-of", AS_OF.isoformat(), "--kind", kind, *command[2:]]
    subprocess.run(arguments, cwd=ROOT, env=os.environ | {"REGULARS_HOME": str(home.path)}, check=True)


if __name__ == "__main__":
    sys.exit(main())
