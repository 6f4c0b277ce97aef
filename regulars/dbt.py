"""Run dbt for a list of as_of dates: raw → staging → features."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from regulars.dbt_process import LOG, RESULTS
from regulars.errors import GateFailed, RegularsError
from regulars.run import Run
from regulars.tables import AS_OF_DATES, PARAMETERS
from regulars.warehouse import Warehouse, lend_to_dbt, open_warehouse
from regulars.warehouse.restoration import ROTTEN_BLOCK, restore

if TYPE_CHECKING:
    from regulars.carried_night import CarriedNight
    from regulars.feature_slices import AsOfRow

OUR_CODE = Path(__file__).resolve().parent.parent
PROJECT = OUR_CODE / "dbt"
LAYERS = ("staging", "features")


class BuildFailed(RegularsError):
    """dbt could not build a model."""


def set_as_of_dates(warehouse: Warehouse, run: Run, dates: Sequence[AsOfRow], carried: CarriedNight | None = None) -> None:
    """Fill the control tables for the next build with its dates and the home's parameters.

    Args:
        carried: the night that they are carried from, if there is one.
    """
    shop, prediction = run.settings.shop, run.settings.prediction
    parameters = {
        "time_zone": shop.time_zone,
        "currency": shop.currency,
        "churn_horizon_days": prediction.churn_horizon_days,
        "value_horizon_days": prediction.value_horizon_days,
        "formula_lifespan_years": prediction.formula_lifespan_years,
        "outcomes_until": run.as_of,
    }
    rows: list[dict[str, Any]] = [
        {"as_of_date": row.as_of, "known_until": row.known_until, "purpose": row.purpose, "sampled_below": row.sampled_below}
        for row in dates
    ]
    if carried is not None:
        rows = [row | {"carried_from": carried.as_of, "carried_known_until": carried.known_until} for row in rows]
    with warehouse.transaction():
        warehouse.execute(f"delete from {AS_OF_DATES.qualified_name}")
        warehouse.append(AS_OF_DATES, pa.Table.from_pylist(rows))
        warehouse.execute(f"delete from {PARAMETERS.qualified_name}")
        warehouse.append(PARAMETERS, pa.Table.from_pylist([parameters]))


def build(run: Run, layer: str, *, whole: bool = False) -> None:
    """Build one layer with dbt in a process of its own, tests included.

    Args:
        whole: build tables from everything, not from what has changed.

    Raises:
        GateFailed: a data test failed; what it found stands in the message.
        BuildFailed: a model could not be built.
    """
    with open_warehouse(run.home, role="builder"):
        pass  # makes the tables that dbt reads, on a first night
    target = run.home.var / "dbt" / "target"
    logs = run.home.logs / "dbt"
    for folder in (target, logs):
        folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(OUR_CODE), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DO_NOT_TRACK": "1",
    }
    results_file = target / RESULTS
    command = [sys.executable, "-m", "regulars.dbt_process", "--no-use-colors", "--log-level", "warn", "build", "--select", f"tag:{layer}"]
    command += ["--target-path", str(target), "--log-path", str(logs)]
    command += ["--exclude-resource-type", "unit_test"]  # those are for the project's tests, not for a night
    command += ["--full-refresh"] if whole else []
    with lend_to_dbt(run.home) as lent:
        results_file.unlink(missing_ok=True)
        (logs / LOG).unlink(missing_ok=True)
        # dbt inherits what holds the writer's place: should this process die, no other one meets a dbt that is still writing.
        done = subprocess.run(
            command,
            env=environment | lent.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=[lent.descriptor],
        )
        results = _results(results_file)
        failed = [result for result in results if result["status"] in ("error", "fail", "runtime error")]
        if any(ROTTEN_BLOCK in str(result["message"]) for result in failed):
            restore(run.home, "is damaged")
    if done.returncode == 0 and not failed:
        models = [result for result in results if result["unique_id"].startswith("model.")]
        run.summary = f"{len(models)} models, {len(results) - len(models)} tests"
        return
    if failed and all(result["status"] == "fail" for result in failed):
        found = "; ".join(f"{_name(result)} found {result['failures']} rows" for result in failed[:5])
        raise GateFailed(f"{len(failed)} data tests of the layer {layer} failed: {found}. Nothing was sent. See {logs / LOG}")
    if not (logs / LOG).exists():
        raise BuildFailed(f"dbt, layer {layer}: it did not start (exit code {done.returncode}{_last_error(done.stderr)})")
    broken = next((f"{_name(result)} could not be built" for result in failed), "dbt stopped before its first model")
    raise BuildFailed(f"dbt, layer {layer}: {broken}; the reason stands in {logs / LOG}")


def project_hash() -> str:
    """SHA-256 over the dbt project's SQL and YAML, names and bytes."""
    digest = hashlib.sha256()
    for file in sorted(path for path in PROJECT.rglob("*") if path.suffix in (".sql", ".yml") and "target" not in path.parts):
        digest.update(str(file.relative_to(PROJECT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _results(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    results: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["results"]
    return results


def _last_error(stderr: str) -> str:
    """The kind of the exception that a Python process died of: its words may quote customers' data."""
    kind = re.search(r"\b\w+(Error|Exception)\b", stderr.strip().rpartition("\n")[2])
    return f", {kind.group()}" if kind else ""


def _name(result: dict[str, Any]) -> str:
    return str(result["unique_id"]).split(".")[2]
