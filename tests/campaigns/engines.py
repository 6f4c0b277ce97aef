"""A training and two nights on DuckDB and on Postgres, of the sample shop and of Online Retail II: every list and table alike.

    python -m tests.campaigns.engines [--customers 4000]

Online Retail II is taken from the folder that REGULARS_DATA names, else ../shared/data, and left out where it is not there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import yaml

from activation.sync import plan_destination, push_destination
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.source import source_names
from models.train import train
from models.training_cutoffs import cutoffs_of_home
from quality.gate import check_features, check_raw, check_scores
from regulars.features import build_features, build_staging
from regulars.home import Home
from regulars.run import Kind, finish_run
from regulars.sample_shop_home import export_sample_shop
from regulars.state import State
from regulars.tables import all_tables
from regulars.warehouse import open_warehouse
from reporting.report import write_report
from scoring.match import match
from scoring.score import score
from tests.postgres_server import PostgresServer, postgres_server

ROOT = Path(__file__).resolve().parents[2]
OWN_WORDS = {("control.nights", "config_hash"), ("quality.gate_results", "observed")}
"""Columns in which the engines may differ: warehouse.yml is hashed, and DuckDB estimates how many different values there are."""


def home_at(folder: Path, config: Path) -> Home:
    """A home with few cutoffs, and with the same secrets in every home, so that the same persons get the same names and arms."""
    shutil.copytree(config, folder / "config")
    prediction = folder / "config" / "prediction.yml"
    content = yaml.safe_load(prediction.read_text())
    content["training"] |= {"cutoffs_count": 6, "cutoff_step_days": 56, "min_customers": 200, "min_outcomes": 50}
    prediction.write_text(yaml.safe_dump(content))
    home = Home.at(folder)
    home.private_folder(home.state.parent)
    (home.state.parent / "pseudonym.key").write_text("5e" * 32)
    with State(home.state).transaction() as connection:
        connection.execute("insert into home_keys values ('control_salt', '5e')")
    return home


def work(home: Home, as_of: date, kind: Kind) -> None:
    """A whole run, stage by stage as the DAG has them."""
    os.environ["REGULARS_CLOCK"] = (datetime.combine(as_of, datetime.min.time()) + timedelta(hours=3)).isoformat()
    for source in source_names(home):
        extract_source(home, source, as_of, kind)
        land_source(home, source, as_of, kind)
    build_staging(home, as_of, kind)
    if kind == "training":
        build_features(home, as_of, kind, cutoffs_of_home(home, as_of))
        train(home, as_of)
    else:
        check_raw(home, as_of, kind)
        build_features(home, as_of, kind)
        check_features(home, as_of, kind)
        score(home, as_of)
        check_scores(home, as_of, kind)
        match(home, as_of)
        plan_destination(home, as_of, kind, "lists", {})
        push_destination(home, as_of, kind, "lists", {})
        write_report(home, as_of, kind)
    finish_run(home, as_of, kind)


def differences(one: Home, other: Home, server: PostgresServer) -> list[str]:
    """Files and columns in which the two homes differ; prints how much there was to compare."""
    found = []
    for folder in ("lists", "models", "reports"):
        files = [{path.relative_to(home.var): path for path in (home.var / folder).rglob("*") if path.is_file()} for home in (one, other)]
        print(f"  {folder}: {len(files[0])} files")
        found += [str(name) for name in files[0].keys() ^ files[1].keys()]
        found += [str(name) for name in files[0].keys() & files[1].keys() if files[0][name].read_bytes() != files[1][name].read_bytes()]
    database = (other.warehouse_url or "").rsplit("/", 1)[1]
    for table in all_tables():
        query = f"select {', '.join(table.column_names)} from {table.qualified_name} order by {', '.join(table.key)}, 1"
        with open_warehouse(one) as warehouse:
            rows = warehouse.rows(query)
        others = server.administer(query, database)
        print(f"  {table.qualified_name}: {len(rows):,} rows")
        if len(rows) != len(others):
            found.append(f"{table.qualified_name}: {len(rows)} and {len(others)} rows")
        for place, name in enumerate(table.column_names):
            pairs = [(row, own[place]) for row, own in zip(rows, others, strict=False) if row[place] != own[place]]
            if pairs and (table.qualified_name, name) not in OWN_WORDS:
                row, own = pairs[0]
                found.append(f"{table.qualified_name}.{name}: {len(pairs)} rows, the first {row} and {own}")
    return found


def campaign(
    config: Path, nights: tuple[date, date], before: Callable[[Home, date], None], server: PostgresServer, folder: Path
) -> list[str]:
    """Both engines, the first night after a training; what differs."""
    one, other = (home_at(folder / engine, config) for engine in ("duckdb", "postgres"))
    other = server.use_for(other)
    for home in (one, other):
        begun = time.monotonic()
        for as_of, kind in ((nights[0], "training"), (nights[0], "night"), (nights[1], "night")):
            before(home, as_of)
            work(home, as_of, kind)  # type: ignore[arg-type]
        print(f"  {home.path.name}: {time.monotonic() - begun:.0f} s")
    return differences(one, other, server)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=4_000, help="of the sample shop (default: 4000)")
    customers = parser.parse_args().customers
    data = Path(os.environ.get("REGULARS_DATA", ROOT.parent / "shared" / "data")).resolve()

    def export(home: Home, as_of: date) -> None:
        export_sample_shop(home, as_of, customers)

    def at_hand(home: Home, as_of: date) -> None:
        sources = home.config / "sources.yml"
        sources.write_text(sources.read_text().replace("../../../shared/data", str(data)))

    found = []
    with postgres_server() as server, tempfile.TemporaryDirectory(prefix="regulars-engines-") as folder:
        print(f"The sample shop, {customers:,} customers")
        found += campaign(ROOT / "config", (date(2025, 6, 30), date(2025, 7, 1)), export, server, Path(folder) / "sample")
        if (data / "online_retail_II.csv.gz").exists():
            print("Online Retail II")
            config = ROOT / "examples" / "online_retail_II" / "config"
            found += campaign(config, (date(2011, 9, 10), date(2011, 9, 11)), at_hand, server, Path(folder) / "retail")
    print("\n".join(found) or "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
