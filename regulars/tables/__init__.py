"""The tables in which stages meet: name, grain, key and columns, declared once.

Python creates the tables that Python writes from these contracts; a test holds dbt's manifest against the tables that
dbt writes. Types are engine-neutral: see `regulars.warehouse` for what each engine makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from regulars.tables import activation, features, landed, models, nights, quality, scores
from regulars.tables.activation import PLAYS, SYNCS
from regulars.tables.contract import Column, ColumnType, Table
from regulars.tables.features import CUSTOMER_FEATURES, CUSTOMER_OUTCOMES
from regulars.tables.landed import (
    CANONICAL_TABLES,
    CONSENTS,
    CUSTOMERS,
    EXCLUSIONS,
    INGESTION_ACCOUNTS,
    LANDED_FILES,
    ORDER_LINES,
    ORDERS,
    PRODUCTS,
    QUARANTINE,
    REFUNDS,
    VERSION_COLUMNS,
)
from regulars.tables.models import BLEND_MEMBERS, CALIBRATION_BINS, HINDCASTS, MODEL_EVALUATIONS
from regulars.tables.nights import AS_OF_DATES, BUILDS, FEATURE_SLICES, NIGHTS, PARAMETERS, STAGED_ROWS
from regulars.tables.quality import GATE_RESULTS, GATES, HISTOGRAMS, PROFILES
from regulars.tables.scores import CUSTOMER_REASONS, CUSTOMER_SCORES, NEXT_PRODUCTS, SEGMENT_MATCHES, SEGMENT_MEMBERSHIPS

__all__ = [
    "AS_OF_DATES",
    "BLEND_MEMBERS",
    "BUILDS",
    "CALIBRATION_BINS",
    "CANONICAL_TABLES",
    "CONSENTS",
    "CUSTOMERS",
    "CUSTOMER_FEATURES",
    "CUSTOMER_OUTCOMES",
    "CUSTOMER_REASONS",
    "CUSTOMER_SCORES",
    "EXCLUSIONS",
    "FEATURE_SLICES",
    "GATES",
    "GATE_RESULTS",
    "HINDCASTS",
    "HISTOGRAMS",
    "INGESTION_ACCOUNTS",
    "LANDED_FILES",
    "MODEL_EVALUATIONS",
    "NEXT_PRODUCTS",
    "NIGHTS",
    "ORDERS",
    "ORDER_LINES",
    "PARAMETERS",
    "PLAYS",
    "PRODUCTS",
    "PROFILES",
    "QUARANTINE",
    "REFUNDS",
    "SEGMENT_MATCHES",
    "SEGMENT_MEMBERSHIPS",
    "STAGED_ROWS",
    "SYNCS",
    "VERSION_COLUMNS",
    "Column",
    "ColumnType",
    "Table",
    "all_tables",
]


def all_tables() -> Iterator[Table]:
    """Every declared table, in the order of the stages."""
    for module in (landed, nights, features, scores, activation, quality, models):
        for value in vars(module).values():
            if isinstance(value, Table):
                yield value
