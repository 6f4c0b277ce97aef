"""Many generated histories, several nights each, on both engines: what a night saw never changes.

    python -m tests.campaigns.two_times --histories 200

prints how many customers' features were compared and how many differ, and for each condition on known_at in the project whether
its loss is found. Without a condition on superseded_at a night counts an old version beside the new one whatever the future
brings, who has moved since the night before is no question of a build of everything, and the shop of dates that draw their customers
is asked by trainings alone: tests/dbt/test_point_in_time.py, test_changes.py and test_drawn_customers.py are for those.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from regulars import tables
from tests.dbt.compiled_project import CompiledProject, Engine, InMemoryDuckDB, compiled, on_postgres
from tests.dbt.conftest import DEFAULT_PARAMETERS
from tests.dbt.histories import Rows, histories, union
from tests.dbt.two_times import differences, features
from tests.postgres_server import postgres_server

NIGHTS = (date(2023, 6, 8), date(2023, 6, 12), date(2023, 6, 18), date(2023, 6, 25))
PER_BUILD = 20
UNASKED = ("int_moved_customers", "int_as_of_shops")
CONDITION = r"\w+\.known_at <= [\w.]*known_until\b"


def generated(builds: int) -> list[Rows]:
    found: list[Rows] = []

    @settings(max_examples=builds + 1, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(histories(), min_size=PER_BUILD, max_size=PER_BUILD))
    def collect(packed: list[Rows]) -> None:
        found.append(union(packed))

    collect()
    return found[1 : builds + 1]  # the first one is the simplest there is


def compare(name: str, engine: Engine, project: CompiledProject, builds: list[Rows]) -> int:
    engine.fill(tables.PARAMETERS, [DEFAULT_PARAMETERS])
    customers = sum(len(rows) for build in builds for rows in features(engine, project, build, NIGHTS).values())
    differing = sum(len(rows) for build in builds for _, rows in differences(engine, project, build, NIGHTS))
    print(
        f"{name}: {len(builds) * PER_BUILD} histories, {len(NIGHTS)} nights, {customers:,} rows of features, {differing} differ", flush=True
    )
    return differing


def conditions_missed(engine: Engine, project: CompiledProject, builds: list[Rows]) -> int:
    """Each condition is taken out by itself; how many of them nobody misses."""
    models = [(number, model) for number, model in enumerate(project.models) if model.name not in UNASKED]
    places = [(number, found) for number, model in models for found in re.finditer(CONDITION, model.sql)]
    missed = 0
    for number, found in places:
        model = project.models[number]
        blind = project.with_sql(number, model.sql[: found.start()] + "true" + model.sql[found.end() :])
        is_found = any(differences(engine, blind, build, NIGHTS) for build in builds)
        missed += not is_found
        print(f"without {found[0]} in {model.name}: {'found' if is_found else 'NOT FOUND'}", flush=True)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description="Two times: what a night saw never changes.")
    parser.add_argument("--histories", type=int, default=200)
    builds = generated(max(parser.parse_args().histories // PER_BUILD, 1))
    with tempfile.TemporaryDirectory() as folder:
        address = {"REGULARS_ENGINE": "duckdb", "REGULARS_WAREHOUSE": f"{folder}/warehouse.duckdb"}
        duckdb, project = InMemoryDuckDB(), compiled(address, Path(folder))
        wrong = compare("DuckDB", duckdb, project, builds)
        wrong += conditions_missed(duckdb, project, builds)
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder, on_postgres(server, Path(folder)) as (engine, on_server):
        wrong += compare("Postgres", engine, on_server, builds)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
