"""What does not fit into memory while dbt builds: it is spilt where it may be, whichever thread has the next model."""

import os
import subprocess
import sys
from pathlib import Path

from regulars.dbt import PROJECT

LARGE = "{{ config(materialized='table') }} select md5(range::varchar) || md5((-range)::varchar) as x from range(1000000) order by x"
SIZES = "{{ config(materialized='table') }} select count(*) as n from {{ ref('one') }} union all select count(*) from {{ ref('two') }}"
MODELS = {"one": LARGE, "two": LARGE, "sizes": SIZES}
COMMAND = ("run", "--profiles-dir", str(PROJECT), "--threads", "2", "--target-path", ".", "--log-path", ".")


def run(project: Path, spill: str) -> int:
    environment = {
        "PYTHONPATH": str(PROJECT.parent),
        "REGULARS_WAREHOUSE": "small.duckdb",
        "REGULARS_MEMORY_LIMIT": "100MiB",
        "REGULARS_SPILL": spill,
    }
    command = [sys.executable, "-m", "regulars.dbt_process", *COMMAND]
    return subprocess.run(command, cwd=project, env=os.environ | environment, stdout=subprocess.PIPE, check=False).returncode


def test_a_build_that_does_not_fit_into_memory_spills_and_comes_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: spilling\nprofile: regulars\n")
    for name, sql in MODELS.items():
        (tmp_path / "models" / f"{name}.sql").write_text(sql)
    assert run(tmp_path, spill="") == 1, "it fits into memory, so that nothing is tried here"
    assert run(tmp_path, spill="spill") == 0, (tmp_path / "dbt.log").read_text()
