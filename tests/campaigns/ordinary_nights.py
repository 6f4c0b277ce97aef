"""Ordinary nights of the sample shop, one after another: how often does the guard stop one that is no accident?

    python -m tests.campaigns.ordinary_nights --nights 365

The shop grows, has its seasons, refunds and changed minds. dbt computes the features of all nights in one build, each as it
was known then; every night is scored by the classical formula, matched, and pushed into the home's own folder. A night that
is stopped is approved, as a person would, and the next one follows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import yaml

from activation.approval import decide
from activation.guard import ApprovalNeeded
from activation.sync import push_destination
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from regulars.clock import shop_midnight
from regulars.features import build_features, build_staging
from regulars.home import Home
from regulars.run import close_run, open_run
from regulars.sample_shop_home import export_sample_shop
from regulars.warehouse import open_warehouse
from scoring.match import match
from scoring.score import score

ROOT = Path(__file__).resolve().parents[2]
LAST_NIGHT = date(2025, 7, 1)
MOST_FALSE_STOPS_A_YEAR = 4
ZONE = "Europe/Berlin"


@dataclass
class Year:
    """What came of the nights: each stop with its reasons."""

    nights: int = 0
    stops: list[str] = field(default_factory=list)


def prepare(home: Home, nights: list[date], customers: int) -> None:
    """The sample shop in the warehouse, with the features of every night."""
    shutil.copytree(ROOT / "config", home.config, dirs_exist_ok=True)
    shop = home.config / "shop.yml"
    shop.write_text(yaml.safe_dump({key: value for key, value in yaml.safe_load(shop.read_text()).items() if key != "today"}))
    last = nights[-1]
    export_sample_shop(home, last, customers)
    run = open_run(home, "training", last)
    extract_source(home, "sample_shop", last, "training")
    land_source(home, "sample_shop", last, "training")
    build_staging(home, last, "training")
    build_features(home, last, "training", nights)
    close_run(run)
    with open_warehouse(home) as warehouse:
        warehouse.execute("create table later_consents as select * from raw.consents")
        warehouse.execute("delete from raw.consents")


def pass_night(home: Home, as_of: date) -> None:
    """Everything of a night between its features and its activation; its gates count as passed, as they have a campaign of their own."""
    known_until = shop_midnight(as_of, ZONE)
    with open_warehouse(home) as warehouse:
        warehouse.execute("insert into raw.consents select * from later_consents where known_at < ?", [known_until])
        warehouse.execute("delete from later_consents where known_at < ?", [known_until])
        warehouse.execute(
            "insert into control.nights (as_of_date, known_until, run_id, config_hash) values (?, ?, '', '')", [as_of, known_until]
        )
        warehouse.execute(
            "insert into quality.gate_results (as_of_date, gate, expectation, column_name, is_met, observed)"
            " select cast(? as date), gate, '', '', true, '' from (values ('raw'), ('features'), ('scores')) as gates (gate)",
            [as_of],
        )
    score(home, as_of, "night")
    match(home, as_of, "night")


def push(home: Home, as_of: date, year: Year) -> None:
    """Push the night; one that is stopped is written down, approved and pushed."""
    try:
        push_destination(home, as_of, "night", "lists")
    except ApprovalNeeded as stopped:
        year.stops.append(str(stopped).split("\n", maxsplit=1)[0])
        print(year.stops[-1], flush=True)
        decide(home, stopped.plan_sha256, "approved", "the campaign")
        push_destination(home, as_of, "night", "lists")


def live(folder: Path, nights: int, customers: int) -> Year:
    """So many nights up to the sample shop's last day."""
    (folder / "config").mkdir(parents=True)
    home = Home.at(folder)
    days = [LAST_NIGHT - timedelta(days=back) for back in reversed(range(nights))]
    prepare(home, days, customers)
    year = Year()
    for as_of in days:
        run = open_run(home, "night", as_of)
        pass_night(home, as_of)
        push(home, as_of, year)
        close_run(run)
        year.nights += 1
    return year


def main() -> int:
    parser = argparse.ArgumentParser(description="Count how often the guard stops an ordinary night.")
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--customers", type=int, default=4_000, help="persons who order in 2.5 years")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        year = live(Path(folder) / "home", arguments.nights, arguments.customers)
    print(f"{year.nights} nights, {len(year.stops)} false stops")
    return 0 if len(year.stops) <= MOST_FALSE_STOPS_A_YEAR * max(1.0, arguments.nights / 365) else 1


if __name__ == "__main__":
    sys.exit(main())
