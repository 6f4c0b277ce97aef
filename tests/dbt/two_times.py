"""Features of a night from everything that was learned since, beside those from what the night itself knew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from regulars import tables
from tests.dbt.compiled_project import CompiledProject, Engine
from tests.dbt.histories import NIGHTS, Rows, known_until, learned_by


def features(engine: Engine, project: CompiledProject, rows: Rows, nights: Sequence[date]) -> dict[date, list[str]]:
    """The features of the nights as text, so that not even a zero's sign may differ."""
    for table in tables.CANONICAL_TABLES:
        engine.fill(table, rows[table.name])
    engine.fill(tables.AS_OF_DATES, [{"as_of_date": night, "known_until": known_until(night), "purpose": "night"} for night in nights])
    project.build(engine)
    found: list[tuple[Any, ...]] = engine.rows("select * from features.customer_features order by as_of_date, customer_id")
    position = tables.CUSTOMER_FEATURES.column_names.index("as_of_date")
    return {night: [repr(row) for row in found if row[position] == night] for night in nights}


def differences(engine: Engine, project: CompiledProject, rows: Rows, nights: Sequence[date] = NIGHTS) -> list[tuple[date, set[str]]]:
    """The nights whose features differ, and the rows that stand on one side alone."""
    with_the_future = features(engine, project, rows, nights)
    then = {night: features(engine, project, learned_by(rows, night), (night,))[night] for night in nights}
    return [(night, set(then[night]) ^ set(with_the_future[night])) for night in nights if then[night] != with_the_future[night]]
