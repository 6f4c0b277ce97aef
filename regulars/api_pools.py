"""Airflow's pools: one for the warehouse's writers, one for reading sources, and one for each API that lists are sent to."""

from __future__ import annotations

from pathlib import Path

DESTINATIONS = Path(__file__).resolve().parent.parent / "activation" / "destinations"

FIXED = {
    "warehouse_writer": (1, "Tasks that write to the warehouse: DuckDB takes one writer at a time"),
    "sources": (2, "Tasks that read from sources"),
}


def destination_kinds() -> list[str]:
    """Types of destinations, by their modules; those are not imported, for every reading of a DAG file asks."""
    return sorted(file.stem for file in DESTINATIONS.glob("[a-z]*.py"))


def api_pool(kind: str) -> str:
    """Name of the pool of the tasks that talk to destinations of one type."""
    return f"destination_{kind}"


def pools() -> dict[str, tuple[int, str]]:
    """Every pool that a DAG names: its slots, and what they are for."""
    what = "Tasks that talk to destinations of the type {kind}: one at a time, for they share the limits of one API"
    return FIXED | {api_pool(kind): (1, what.format(kind=kind)) for kind in destination_kinds()}
