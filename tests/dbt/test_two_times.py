"""What a night saw, computed from all that was learned since, is what it saw: bit for bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dbt.compiled_project import CompiledProject, Engine, InMemoryDuckDB, on_postgres
from tests.dbt.histories import Rows, histories, union
from tests.dbt.two_times import differences
from tests.postgres_server import PostgresServer

HISTORIES_PER_BUILD = 6


def check(engine: Engine, project: CompiledProject, examples: int) -> None:
    @settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(histories(), min_size=HISTORIES_PER_BUILD, max_size=HISTORIES_PER_BUILD))
    def differ(generated: list[Rows]) -> None:
        assert not differences(engine, project, union(generated))

    differ()


def test_the_future_changes_nothing_that_a_night_saw(engine: InMemoryDuckDB, compiled_project: CompiledProject) -> None:
    check(engine, compiled_project, examples=9)


def test_nor_on_postgres(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with on_postgres(postgres_server, tmp_path) as (engine, project):
        check(engine, project, examples=4)


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
