from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quality.profile import PROFILE_TABLE
from regulars.home import Home
from regulars.warehouse import open_warehouse

Rows = list[dict[str, Any]]
SCHEMA = pa.schema(
    [("as_of_date", pa.date32()), ("column_name", pa.string()), ("rows_count", pa.int64())]
    + [(name, pa.float64()) for name in ("null_share", "min", "max", "mean", "p05", "p50", "p95")]
    + [("distinct_count", pa.int64())]
)
SQL_TYPES = {pa.date32(): "date", pa.string(): "varchar", pa.int64(): "bigint", pa.float64(): "double"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yml").write_text("name: The Gift Shop\ntime_zone: Europe/London\ncurrency: GBP\n")
    (tmp_path / "config" / "prediction.yml").write_text("churn_horizon_days: 90\n")
    return Home.at(tmp_path)


@pytest.fixture
def fill_profile(home: Home) -> Callable[[date, Rows], None]:
    """Replaces the profile of one night, as dbt would."""

    def fill(as_of: date, rows: Rows) -> None:
        with open_warehouse(home) as warehouse:
            columns = ", ".join(f"{field.name} {SQL_TYPES[field.type]}" for field in SCHEMA)
            warehouse.execute("create schema if not exists quality")
            warehouse.execute(f"create table if not exists {PROFILE_TABLE} ({columns})")
            warehouse.execute(f"delete from {PROFILE_TABLE} where as_of_date = ?", [as_of])
            for row in rows:
                values = [row.get(field.name) for field in SCHEMA]
                warehouse.execute(f"insert into {PROFILE_TABLE} values ({', '.join('?' * len(SCHEMA))})", values)

    return fill
