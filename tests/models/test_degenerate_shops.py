"""Degenerate shops through the real path: features by dbt's SQL, training, scoring. Every figure finite, in range and honest."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from models.train import train
from models.training_cutoffs import training_cutoffs
from regulars import tables
from regulars.dbt import set_as_of_dates
from regulars.feature_slices import AsOfRow
from regulars.home import Home
from regulars.run import open_run
from regulars.warehouse import Warehouse, open_warehouse
from scoring.score import score
from tests.dbt.compiled_project import CompiledProject
from tests.dbt.conftest import DbtProject, compiled_on_duckdb
from tests.models.degenerate_shops import AS_OF, Shop, moment, shops

FIGURES = (
    "churn_probability", "expected_value", "value_at_risk", "value_q50", "value_q80", "value_q90", "expected_orders_count"
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> CompiledProject:
    project = DbtProject(tmp_path_factory.mktemp("dbt-target"))
    return compiled_on_duckdb(project, tmp_path_factory.mktemp("compiled"), "customer_outcomes")


def built(folder: Path, shop: Shop, project: CompiledProject) -> Home:
    """The shop's home with the features and outcomes of a training, built in this process."""
    (folder / "config").mkdir()
    prediction = {
        "churn_horizon_days": shop.churn_days,
        "value_horizon_days": shop.value_days,
        "training": {"cutoffs_count": 3, "min_customers": shop.min_customers, "min_outcomes": 30},
    }
    for name, content in (
        ("shop.yml", {"name": "Odd", "time_zone": "UTC", "currency": shop.currency}),
        ("prediction.yml", prediction),
    ):
        (folder / "config" / name).write_text(yaml.safe_dump(content))
    home = Home.at(folder)
    run = open_run(home, "training", AS_OF)
    past = [days for _, days, _ in shop.orders]
    first = moment(max(past)).date() if past else None
    cutoffs = training_cutoffs(run.settings.prediction, AS_OF, first)
    with open_warehouse(home) as warehouse:
        for table, rows in ((tables.ORDERS, shop.landed_orders()), (tables.REFUNDS, shop.landed_refunds())):
            if rows:
                warehouse.append(table, pa.Table.from_pylist(rows))
        set_as_of_dates(warehouse, run, [AsOfRow(day, moment((AS_OF - day).days), "training") for day in [*cutoffs, AS_OF]])
        build(warehouse, project)
    return home


def build(warehouse: Warehouse, project: CompiledProject) -> None:
    for model in project.models:
        warehouse.execute(f"create schema if not exists {model.schema}")
        warehouse.execute(f"create or replace table {model.relation} as {model.sql}")


@pytest.mark.parametrize("shop", list(shops()), ids=lambda shop: shop.name.replace(" ", "-"))
def test_a_degenerate_shop_is_scored_honestly(shop: Shop, project: CompiledProject, tmp_path: Path) -> None:
    home = built(tmp_path, shop, project)
    train(home, AS_OF)
    with open_warehouse(home) as warehouse:
        warehouse.execute(
            "insert into control.nights by name select ? as as_of_date, ? as known_until, 'r' as run_id, 'h' as config_hash",
            [AS_OF, moment(0)],
        )
    score(home, AS_OF, "training")
    with open_warehouse(home, read_only=True) as warehouse:
        scores = warehouse.arrow("select * from scores.customer_scores")
        why = warehouse.rows("select scored_because from control.nights")[0][0]
    assert scores.num_rows == shop.customers
    assert shop.why in why
    if not shop.customers:
        return
    assert set(scores.column("scored_by").to_pylist()) == {shop.scored_by}
    for name in FIGURES:
        values = scores.column(name).drop_null()
        assert pc.all(pc.is_finite(values)).as_py() in (True, None)
        assert pc.min(values).as_py() is None or pc.min(values).as_py() >= 0
    churn, value = scores.column("churn_probability"), scores.column("expected_value")
    assert pc.max(churn).as_py() <= 1
    for quantile, more in (("value_q50", "value_q80"), ("value_q80", "value_q90")):
        assert pc.all(pc.less_equal(scores.column(quantile), scores.column(more))).as_py() in (True, None)
    assert shop.churn[0] <= pc.mean(churn).as_py() <= shop.churn[1]
    assert shop.value[0] <= pc.mean(value).as_py() <= shop.value[1]
