"""A training that draws customers gives them the features that they have among all customers, the shop's own figures included."""

import datetime as dt
import hashlib
from typing import Any

from regulars.tables import CANONICAL_TABLES, CUSTOMER_FEATURES
from tests.dbt.conftest import ScratchWarehouse
from tests.dbt.test_point_in_time import History

CUSTOMER = CUSTOMER_FEATURES.column_names.index("customer_id")
AS_OF_DATES = [dt.date(2023, 8, 1), dt.date(2023, 12, 1)]


def built(warehouse: ScratchWarehouse, sampled_below: str | None, purpose: str = "training") -> dict[str, list[tuple[Any, ...]]]:
    dates = [(day, dt.datetime.combine(day, dt.time()), purpose, None, None, sampled_below) for day in AS_OF_DATES]
    warehouse.set_as_of_dates(dates)
    warehouse.dbt("run", "--select", "tag:features")
    return {
        table: warehouse.run(f"select * from features.{table} order by as_of_date, customer_id, 3")
        for table in ("customer_features", "customer_outcomes")
    }


def test_drawn_customers_have_the_features_that_they_have_among_all(scratch_warehouse: ScratchWarehouse) -> None:
    scratch_warehouse.set_parameters(outcomes_until=dt.date(2024, 6, 1))
    history = History(3)
    for table in CANONICAL_TABLES:
        scratch_warehouse.replace(table, history.rows[table.name])
    scratch_warehouse.dbt("run", "--select", "tag:staging")
    everyone = built(scratch_warehouse, None)
    drawn = built(scratch_warehouse, "8000")
    for table, rows in everyone.items():
        assert drawn[table] == of_drawn(rows, "8000")
        assert 0 < len(drawn[table]) < len(rows)
    # Where features stand, outcomes alone are computed.
    outcomes = built(scratch_warehouse, "4000", "outcomes")
    assert outcomes["customer_features"] == drawn["customer_features"]
    assert outcomes["customer_outcomes"] == of_drawn(everyone["customer_outcomes"], "4000")


def of_drawn(rows: list[tuple[Any, ...]], below: str) -> list[tuple[Any, ...]]:
    return [row for row in rows if hashlib.md5(row[CUSTOMER].encode(), usedforsecurity=False).hexdigest()[:4] < below]
