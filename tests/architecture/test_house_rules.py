"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from regulars.warehouse.postgres_roles import WRITERS

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingestion", "quality", "models", "scoring", "activation", "reporting")


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).is_file()]


def _code() -> list[Path]:
    return [path for path in _tracked("*.py") if path.relative_to(ROOT).parts[0] in (*STAGES, "regulars", "dags")]


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {path.stem for path in _tracked("*.py", "*.sql")} | {path.parent.name for path in _tracked("*.py", "*.sql")}
    assert not names & {"utils", "util", "helpers", "common", "manager", "handler", "misc"}


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {str(path.relative_to(ROOT)): count for path in _code() if (count := len(path.read_text().splitlines())) > 400}
    assert not long


def test_dags_are_thin() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        is_dag = "@dag(" in path.read_text()
        assert len(path.read_text().splitlines()) <= (120 if is_dag else 250), path.name


def test_only_the_clock_asks_the_clock() -> None:
    asked = []
    for path in _code():
        if path.relative_to(ROOT).as_posix() in ("regulars/clock.py",):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("now", "utcnow", "today")
                and isinstance(node.value, ast.Name)
                and node.value.id in ("datetime", "date", "pd", "pandas")
            ):
                asked.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not asked
    sql = [
        path for path in _tracked("dbt/*.sql") if re.search(r"current_date|current_timestamp|\bnow\(\)|\btoday\(\)", path.read_text(), re.I)
    ]
    assert not sql


def test_every_stage_opens_the_warehouse_as_its_own_role() -> None:
    kernel_roles = {"run.py": "reader", "row_counts.py": "reader", "rebuilds.py": "rebuilder"}
    for path in _code():
        stage = path.relative_to(ROOT).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open_warehouse":
                role = next(
                    (word.value.value for word in node.keywords if word.arg == "role" and isinstance(word.value, ast.Constant)), None
                )
                expected = WRITERS.get(stage) or "reader"
                assert role == (kernel_roles.get(path.name, expected) if stage == "regulars" else expected), f"{path}:{node.lineno}"


def test_nothing_pickles() -> None:
    imported = {
        (name, str(path.relative_to(ROOT)))
        for path in _code()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert not {entry for entry in imported if entry[0].split(".")[0] in ("pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve")}


def test_locks_name_no_registry_and_hash_everything() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert "http://" not in text
        assert "https://" not in text
        pinned = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
        assert pinned
        assert all(line.endswith("\\") for line in pinned), lock.name


def test_dbt_folder_is_no_package() -> None:
    assert not list((ROOT / "dbt").rglob("__init__.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_a_command(stage: str) -> None:
    assert (ROOT / stage / "__main__.py").is_file()
