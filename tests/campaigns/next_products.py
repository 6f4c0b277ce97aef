"""Next products on Online Retail II: learned at a date, held against what was bought within the horizon after it.

    python -m tests.campaigns.next_products [--home FOLDER]

The home's staging is built first, unless a folder is named in which it stands. Intervals are of a paired bootstrap over customers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from models.arithmetic import on_one_thread
from models.next_products_training import learn_next_products, past_purchases, read_product_history
from models.next_products_trial import HIT_PLACES, PREDICTOR, hits_of
from models.product_shelf import read_shelf
from models.purchases import Knowledge
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse

ROOT = Path(__file__).resolve().parents[2]
TASKS = ((date(2011, 9, 10), 90), (date(2011, 6, 12), 180))
LAST_DAY = date(2011, 12, 10)
RESAMPLES = 2000


def evaluate(home: Home, cutoff: date, days: int) -> None:
    """Print the hit rates of the model learned at the cutoff and of the simple rules."""
    settings = HomeSettings(home)
    settings.prediction = settings.prediction.model_copy(update={"churn_horizon_days": days})
    zone, never = settings.shop.time_zone, settings.prediction.never_recommended
    with open_warehouse(home, role="scorer") as warehouse, on_one_thread():
        known = read_product_history(warehouse, cutoff, settings)
        assert known is not None
        then, end = (Knowledge.at(warehouse, day, zone) for day in (cutoff, min(cutoff + timedelta(days), LAST_DAY)))
        past = past_purchases(warehouse, then, end, read_shelf(warehouse, then, days, never))
    assert past is not None
    with on_one_thread():
        learned = learn_next_products(known)
    hits = hits_of(past, learned.model)
    names = list(dict.fromkeys(name for name, _ in hits))
    count = past.histories.customers_count
    print(f"\n{cutoff}, {days} days: {count:,} customers bought again, {len(past.shelf):,} products; {learned.model.ranking} serves")
    drawn = np.random.default_rng(1).integers(0, count, (RESAMPLES, count))
    for metric in (f"{kind}_{places}" for kind in ("hit_rate", "new_hit_rate") for places in HIT_PLACES):
        ours = hits[PREDICTOR, metric].astype(float)
        told = [f"{PREDICTOR} {ours.mean():.3f}"]
        for name in names[1:]:
            difference = ours - hits[name, metric]
            low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
            told.append(f"{name} {hits[name, metric].mean():.3f} ({difference.mean():+.3f} [{low:+.3f}, {high:+.3f}])")
        print(f"  {metric:16} {'; '.join(told)}")


def built_home(folder: Path) -> Home:
    """The example's home with its staging, as of the last day."""
    shutil.copytree(ROOT / "examples" / "online_retail_II", folder, dirs_exist_ok=True)
    sources = folder / "config" / "sources.yml"
    data = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data"))
    sources.write_text(sources.read_text().replace("../../../shared/data", str(data)))
    for stage in (["ingestion", "run"], ["regulars", "build", "--layer", "staging"]):
        command = [sys.executable, "-m", *stage, "--as-of", str(LAST_DAY), "--kind", "training"]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"REGULARS_HOME": str(folder)}, check=True)
    return Home.at(folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.next_products")
    parser.add_argument("--home", type=Path, help="a home of the example whose staging is built")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regulars-next-products-") as folder:
        home = Home.at(chosen.home) if chosen.home else built_home(Path(folder))
        for cutoff, days in TASKS:
            evaluate(home, cutoff, days)


if __name__ == "__main__":
    main()
