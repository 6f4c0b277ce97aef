"""What a night saw, computed from all that was learned since, is what it saw: bit for bit."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from regulars import tables
from tests.dbt.compiled_project import CompiledProject, Engine, InMemoryDuckDB
from tests.dbt.conftest import DEFAULT_PARAMETERS
from tests.dbt.histories import NIGHTS, Rows, histories, known_until, learned_by, union

HISTORIES_PER_BUILD = 6


def features(engine: Engine, project: CompiledProject, rows: Rows, nights: tuple[date, ...]) -> dict[date, list[str]]:
    """The features of the nights as text, so that not even a zero's sign may differ."""
    for table in tables.CANONICAL_TABLES:
        engine.fill(table, rows[table.name])
    engine.fill(tables.AS_OF_DATES, [{"as_of_date": night, "known_until": known_until(night), "purpose": "night"} for night in nights])
    project.build(engine)
    found: list[tuple[Any, ...]] = engine.rows("select * from features.customer_features order by as_of_date, customer_id")
    position = tables.CUSTOMER_FEATURES.column_names.index("as_of_date")
    return {night: [repr(row) for row in found if row[position] == night] for night in nights}


def differences(engine: Engine, project: CompiledProject, rows: Rows) -> list[tuple[date, set[str]]]:
    with_the_future = features(engine, project, rows, NIGHTS)
    then = {night: features(engine, project, learned_by(rows, night), (night,))[night] for night in NIGHTS}
    return [(night, set(then[night]) ^ set(with_the_future[night])) for night in NIGHTS if then[night] != with_the_future[night]]


@pytest.fixture(scope="module")
def engine() -> InMemoryDuckDB:
    database = InMemoryDuckDB()
    database.fill(tables.PARAMETERS, [DEFAULT_PARAMETERS])
    return database


def test_the_future_changes_nothing_that_a_night_saw(engine: InMemoryDuckDB, compiled_project: CompiledProject) -> None:
    @settings(max_examples=9, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(histories(), min_size=HISTORIES_PER_BUILD, max_size=HISTORIES_PER_BUILD))
    def check(generated: list[Rows]) -> None:
        assert not differences(engine, compiled_project, union(generated))

    check()


@pytest.mark.parametrize("forgotten", [r"\w+\.known_at <= [\w.]*known_until\b", r"\w+\.superseded_at > [\w.]*known_until\b"])
def test_a_night_that_looks_ahead_is_found(engine: InMemoryDuckDB, compiled_project: CompiledProject, forgotten: str) -> None:
    """The macro `is_known_at` without one of its halves."""
    blind = compiled_project.replaced(forgotten, "true")
    assert blind.models != compiled_project.models
    found: list[tuple[date, set[str]]] = []

    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(histories(), min_size=12, max_size=12))
    def look(generated: list[Rows]) -> None:
        found.extend(differences(engine, blind, union(generated)))

    look()
    assert found
