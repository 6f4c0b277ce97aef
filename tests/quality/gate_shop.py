"""The sample shop on three nights, built as a night builds it; its last night can be spoiled and judged again and again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from quality.gate import Judgement, judge_features, judge_raw, judge_scores
from quality.limits import GateLimits
from quality.rule import Rule
from regulars import clock
from regulars.features import build_features, build_staging
from regulars.home import Home
from regulars.sample_shop_home import export_sample_shop
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse, open_warehouse
from scoring.score import score

ROOT = Path(__file__).resolve().parents[2]
TONIGHT = date(2025, 7, 1)
LONG_AGO = TONIGHT - timedelta(days=90)
"""A night whose churn horizon ends with tonight."""
SPOILED = (
    "staging.stg_orders",
    "staging.stg_order_lines",
    "staging.stg_refunds",
    "staging.stg_products",
    "staging.stg_consents",
    "private.stg_accounts",
    "features.customer_features",
    "scores.customer_scores",
)
VIEWS = ("staging.stg_order_lines",)
JUDGES = {"raw": judge_raw, "features": judge_features, "scores": judge_scores}


def build_shop(folder: Path, customers: int, nights: int, *earlier: date) -> Home:
    """A home whose whole history was landed at once; each night knows what was known at its as_of, and is scored by the formula."""
    shutil.copytree(ROOT / "config", folder / "config")
    home = Home.at(folder)
    export_sample_shop(home, TONIGHT, customers)
    extract_source(home, "sample_shop", TONIGHT, "training")
    land_source(home, "sample_shop", TONIGHT, "training")
    build_staging(home, TONIGHT, "training")
    days = [*earlier, *nights_until(TONIGHT, nights)]
    build_features(home, TONIGHT, "training", days)
    zone = HomeSettings(home).shop.time_zone
    with open_warehouse(home) as warehouse:
        for day in days:
            columns = "as_of_date, known_until, run_id, config_hash"
            warehouse.execute(f"insert into control.nights ({columns}) values (?, ?, '', '')", [day, clock.shop_midnight(day, zone)])
    for day in days:
        score(home, day, "night")
    return home


def nights_until(last: date, count: int) -> list[date]:
    return [last - timedelta(days=number) for number in reversed(range(count))]


@dataclass(frozen=True)
class Mutant:
    """An accident: SQL done to the tables before a gate reads them."""

    gate: str
    name: str
    statements: Sequence[str]


@contextmanager
def spoilable(home: Home) -> Iterator[Warehouse]:
    """The warehouse with copies of its tables that take what the contracts forbid."""
    with open_warehouse(home) as warehouse:
        for table in SPOILED:
            name = table.split(".")[1]
            where = f" where as_of_date > date '{TONIGHT - timedelta(days=3)}'" if table.startswith(("features", "scores")) else ""
            warehouse.execute(f"create table {table}_copy as select * from {table}{where}")
            warehouse.execute(f"drop {'view' if table in VIEWS else 'table'} {table}")
            warehouse.execute(f"alter table {table}_copy rename to {name}")
        yield warehouse


def broken(judged: Judgement) -> list[Rule]:
    return [finding.rule for finding in judged.findings() if not finding.is_met]


def judge_mutant(warehouse: Warehouse, settings: HomeSettings, mutant: Mutant) -> list[Rule]:
    """What the gate finds on the spoiled night; the warehouse is as before afterwards."""
    warehouse.execute("begin")
    try:
        for statement in mutant.statements:
            warehouse.execute(statement)
        return broken(JUDGES[mutant.gate](warehouse, TONIGHT, settings, GateLimits()))
    finally:
        warehouse.execute("rollback")
