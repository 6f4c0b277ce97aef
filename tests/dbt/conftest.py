"""A scratch warehouse with the contracts' tables, and dbt on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest

from regulars import tables
from regulars.warehouse.duckdb import COLUMN_TYPES
from tests.dbt.compiled_project import CompiledProject, InMemoryDuckDB, models_for
from tests.parsed_project import parsed_project

REPOSITORY = Path(__file__).resolve().parents[2]
DBT_PROJECT = REPOSITORY / "dbt"
FLAGS = ("--quiet", "--no-use-colors", "--log-level-file", "none", "--no-write-json")
DEFAULT_PARAMETERS = {
    "time_zone": "UTC",
    "currency": "GBP",
    "churn_horizon_days": 90,
    "value_horizon_days": 365,
    "formula_lifespan_years": 3.0,
    "outcomes_until": "2100-01-01",
}


class DbtFailed(AssertionError):
    pass


class ScratchWarehouse:
    """A DuckDB file with the tables that dbt reads, and a way to build it."""

    def __init__(self, path: Path, project: DbtProject):
        self.path = path
        self.project = project
        self.inputs = (*tables.CANONICAL_TABLES, tables.AS_OF_DATES, tables.PARAMETERS, tables.STAGED_ROWS)
        with self.connect() as connection:
            for table in self.inputs:
                columns = ", ".join(
                    f'"{column.name}" {COLUMN_TYPES[column.type]}{"" if column.nullable else " not null"}' for column in table.columns
                )
                connection.execute(f"create schema if not exists {table.schema}")
                connection.execute(f"create table {table.qualified_name} ({columns})")

    def connect(self) -> duckdb.DuckDBPyConnection:
        """As dbt/profiles.yml does: dbt in this process keeps the file open, and the engine wants all to open it alike."""
        return duckdb.connect(str(self.path), config={"memory_limit": "4GiB", "temp_directory": f"{self.path}.tmp"})

    def run(self, statement: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(statement, list(parameters)).fetchall()

    def replace(self, table: tables.Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the table's rows; columns that a row does not name are null."""
        values = pyarrow.Table.from_pylist([{name: row.get(name) for name in table.column_names} for row in rows])
        with self.connect() as connection:
            connection.execute(f"delete from {table.qualified_name}")
            if values.num_rows:
                connection.register("replacement", values)
                connection.execute(f"insert into {table.qualified_name} by name select * from replacement")

    def set_parameters(self, **parameters: Any) -> None:
        self.replace(tables.PARAMETERS, [DEFAULT_PARAMETERS | parameters])

    def set_as_of_dates(self, dates: Iterable[tuple[Any, ...]]) -> None:
        names = tables.AS_OF_DATES.column_names
        self.replace(tables.AS_OF_DATES, [dict(zip(names, date, strict=False)) for date in dates])

    def dbt(self, *arguments: str, changes_only: bool = False) -> list[Any]:
        """Run dbt on everything that stands in raw, or on what is not in control.staged_rows."""
        return self.project.invoke(self.path, *arguments, *([] if changes_only else ["--full-refresh"]))

    def build(self, *arguments: str, changes_only: bool = False) -> list[Any]:
        """What a night runs."""
        return self.dbt("build", "--exclude-resource-type", "unit_test", *arguments, changes_only=changes_only)


class DbtProject:
    """The project, parsed once, whatever the number of warehouses that it is run on."""

    def __init__(self, target_path: Path):
        self.target_path = target_path
        self.manifest = parsed_project()

    def invoke(self, warehouse: Path, *arguments: str) -> list[Any]:
        """Run dbt in this process and return the nodes' results; a failing node raises DbtFailed with its message."""
        outcome = self._run(warehouse, *arguments)
        results = list(outcome.result.results) if outcome.result is not None else []
        failures = [f"{result.node.name}: {result.message}" for result in results if result.status in ("error", "fail")]
        if failures or not outcome.success:
            raise DbtFailed("\n".join(failures) or str(outcome.exception))
        return results

    def _run(self, warehouse: Path, *arguments: str) -> Any:
        from dbt.cli.main import dbtRunner

        environment = {
            "REGULARS_ENGINE": "duckdb",
            "REGULARS_WAREHOUSE": str(warehouse),
            "DBT_TARGET_PATH": str(self.target_path),
            "DBT_LOG_PATH": str(self.target_path),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return dbtRunner(manifest=self.manifest).invoke(
                [*arguments, *FLAGS, "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
            )


@pytest.fixture(scope="session")
def dbt_project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    return DbtProject(tmp_path_factory.mktemp("dbt-target"))


@pytest.fixture(scope="session")
def compiled_project(dbt_project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> CompiledProject:
    """All that the features are made from."""
    return compiled_on_duckdb(dbt_project, tmp_path_factory.mktemp("compiled"), "customer_features")


def compiled_on_duckdb(project: DbtProject, folder: Path, wanted: str) -> CompiledProject:
    """The model that is wanted and all before it."""
    results = ScratchWarehouse(folder / "warehouse.duckdb", project).dbt("compile", "--select", f"+{wanted}")
    return CompiledProject(models_for((one.node for one in results if one.node.resource_type == "model"), wanted))


@pytest.fixture(scope="module")
def engine() -> InMemoryDuckDB:
    database = InMemoryDuckDB()
    database.fill(tables.PARAMETERS, [DEFAULT_PARAMETERS])
    return database


@pytest.fixture
def scratch_warehouse(tmp_path: Path, dbt_project: DbtProject) -> ScratchWarehouse:
    warehouse = ScratchWarehouse(tmp_path / "warehouse.duckdb", dbt_project)
    warehouse.set_parameters()
    return warehouse
