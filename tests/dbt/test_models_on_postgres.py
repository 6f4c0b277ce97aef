"""The whole dbt project on a real Postgres server: unit tests, models, data tests."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from regulars.home import Home
from regulars.warehouse import lend_to_dbt, open_warehouse
from tests.dbt.conftest import DBT_PROJECT
from tests.postgres_server import PostgresServer


def test_every_unit_test_passes_and_an_empty_shop_builds(tmp_path: Path, postgres_server: PostgresServer) -> None:
    (tmp_path / "config").mkdir()
    home = postgres_server.use_for(Home.at(tmp_path))
    with open_warehouse(home, role="builder") as warehouse:
        warehouse.execute("insert into control.as_of_dates values ('2024-03-10', '2024-03-10 03:00', 'night')")
        warehouse.execute("insert into control.parameters values ('UTC', 'GBP', 90, 365, 3.0, '2100-01-01')")
    folders = {"DBT_TARGET_PATH": str(tmp_path), "DBT_LOG_PATH": str(tmp_path), "DBT_PROFILES_DIR": str(DBT_PROJECT)}
    with lend_to_dbt(home) as (address, _):
        command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--log-level", "warn", "build"]
        done = subprocess.run(command, cwd=DBT_PROJECT, env=os.environ | folders | address, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    results = json.loads((tmp_path / "run_results.json").read_text())["results"]
    passed = Counter(result["unique_id"].split(".")[0] for result in results if result["status"] in ("success", "pass"))
    assert sum(passed.values()) == len(results)
    assert passed["unit_test"] >= 18
    assert passed["test"] >= 13
    assert passed["model"] >= 17
    with open_warehouse(home, role="scorer") as warehouse:
        assert warehouse.rows("select count(*) from features.customer_features") == [(0,)]
        assert warehouse.rows("select count(*) from staging.stg_account_shapes") == [(0,)]
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert address["REGULARS_POSTGRES_DATABASE"].encode() in written
    assert postgres_server.password.encode() not in written
