"""What dbt builds is what regulars/tables/ promises."""

from __future__ import annotations

from typing import Any

import pytest

from regulars import tables

DBT_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "double": "double precision",
    "amount": "decimal(18, 4)",
    "timestamp": "timestamp",
    "date": "date",
    "boolean": "boolean",
}
TABLES_BY_DBT = [table for table in tables.all_tables() if table.written_by == "dbt"]


def models(manifest: Any) -> dict[str, Any]:
    return {f"{node.schema}.{node.name}": node for node in manifest.nodes.values() if node.resource_type == "model"}


@pytest.mark.parametrize("table", TABLES_BY_DBT, ids=lambda table: table.name)
def test_model_keeps_its_contract(dbt_project, table):
    model = models(dbt_project.manifest)[table.qualified_name]

    declared = [(column.name, DBT_TYPES[column.type], column.nullable) for column in table.columns]
    built = [
        (column.name, column.data_type, "not_null" not in [constraint.type for constraint in column.constraints])
        for column in model.columns.values()
    ]
    assert built == declared
    assert model.config.contract.enforced
    assert [column.description for column in model.columns.values()] == [column.description for column in table.columns]
    assert model.description.startswith(table.grain)


@pytest.mark.parametrize("table", TABLES_BY_DBT, ids=lambda table: table.name)
def test_key_is_tested(dbt_project, table):
    keys = [
        tuple(node.test_metadata.kwargs["columns"])
        for node in dbt_project.manifest.nodes.values()
        if node.resource_type == "test" and getattr(node, "test_metadata", None) and node.test_metadata.name == "unique_key"
        if f"model.regulars.{table.name}" in node.depends_on.nodes
    ]
    assert set(table.key) in [set(key) for key in keys]


def test_every_model_and_column_is_described(dbt_project, scratch_warehouse):
    scratch_warehouse.set_as_of_dates([])
    scratch_warehouse.dbt("run")
    columns: dict[str, list[str]] = {}
    for schema, table, column in scratch_warehouse.run(
        "select table_schema, table_name, column_name from information_schema.columns order by ordinal_position"
    ):
        columns.setdefault(f"{schema}.{table}", []).append(column)
    for name, model in models(dbt_project.manifest).items():
        assert model.description.startswith("One row per "), name
        assert [column.name for column in model.columns.values()] == columns[name], name
        assert all(column.description for column in model.columns.values()), name


def test_sources_are_the_declared_tables(dbt_project):
    declared = {table.qualified_name: table.grain for table in tables.all_tables()}
    for source in dbt_project.manifest.sources.values():
        name = f"{source.schema}.{source.name}"
        assert declared.get(name) == source.description, name


def test_personal_data_stays_in_private(dbt_project):
    personal = {"email", "normalised_email", "first_name", "last_name", "phone", "birth_date", "postal_code", "city"}
    for name, model in models(dbt_project.manifest).items():
        if model.schema != "private":
            assert not personal & set(model.columns), name


def test_no_model_asks_the_clock(dbt_project):
    for name, model in models(dbt_project.manifest).items():
        for word in ("current_date", "current_timestamp", "now(", "var(", "run_started_at"):
            assert word not in model.raw_code.lower(), f"{name} uses {word}"
