"""One row per customer per as_of_date, by the model promoted for it."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from regulars.errors import ArtefactError
from regulars.home import Home
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, NIGHTS
from regulars.warehouse import open_warehouse
from scoring import score as score_module
from scoring.__main__ import main
from scoring.score import score
from tests.models.synthetic_shop import AS_OF, VALUE_DAYS, create, features_at, write_configuration


def scores(home: Home, as_of: date = AS_OF) -> list[tuple[object, ...]]:
    with open_warehouse(home, read_only=True) as warehouse:
        columns = ", ".join(CUSTOMER_SCORES.column_names)
        return warehouse.rows(f"select {columns} from scores.customer_scores where as_of_date = ? order by customer_id", [as_of])


@pytest.fixture
def shop(tmp_path: Path) -> Home:
    """A shop that no model was trained for."""
    home = write_configuration(tmp_path)
    with open_warehouse(home) as warehouse:
        create(warehouse, CUSTOMER_FEATURES)
        warehouse.append(CUSTOMER_FEATURES, features_at(AS_OF, 120))
        warehouse.execute(
            f"insert into {NIGHTS.qualified_name} by name "
            "select ? as as_of_date, timestamp '2024-06-01 03:00:00' as known_until, 'r' as run_id, 'h' as config_hash",
            [AS_OF],
        )
    return home


def test_without_a_model_the_formula_scores_and_the_night_knows_its_version(shop: Home) -> None:
    score(shop, AS_OF)
    rows = scores(shop)
    assert len(rows) == 120
    assert {row[-2:] for row in rows} == {("formula-1", "formula")}
    named = [dict(zip(CUSTOMER_SCORES.column_names, row, strict=True)) for row in rows]
    assert {(row["churn_horizon_days"], row["value_horizon_days"], row["currency"]) for row in named} == {(60, 120, "EUR")}
    assert {row["value_q90"] for row in named} == {None}
    assert all(row["expected_orders_count"] > 0 for row in named)
    with open_warehouse(shop, read_only=True) as warehouse:
        assert warehouse.rows("select model_version from control.nights") == [("formula-1",)]


def test_scoring_again_replaces_the_slice_and_leaves_other_nights_alone(shop: Home) -> None:
    score(shop, AS_OF)
    first = scores(shop)
    yesterday = AS_OF - timedelta(days=1)
    with open_warehouse(shop) as warehouse:
        warehouse.append(CUSTOMER_FEATURES, features_at(yesterday, 80))
    score(shop, yesterday)
    score(shop, AS_OF)
    assert scores(shop) == first
    assert len(scores(shop, yesterday)) == 80


def test_a_trained_model_scores_every_customer_within_bounds(trained_shop: Home) -> None:
    score(trained_shop, AS_OF)
    rows = scores(trained_shop)
    assert len(rows) == 300
    assert {row[-1] for row in rows} == {"blend"}
    probability, expected, at_risk = (np.array([row[position] for row in rows], dtype=float) for position in (2, 4, 6))
    assert ((probability > 0) & (probability < 1)).all()
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert ((at_risk >= 0) & (at_risk <= expected.max() * 10)).all()
    assert np.unique(probability).size > 100
    named = [dict(zip(CUSTOMER_SCORES.column_names, row, strict=True)) for row in rows]
    assert all(0 <= row["value_q50"] <= row["value_q80"] <= row["value_q90"] < np.inf for row in named)
    told = [row for row in named if row["next_order_date"] is not None]
    assert 0 < len(told) < len(named)
    last = AS_OF + timedelta(days=VALUE_DAYS - 1)
    assert all(AS_OF <= row["next_order_from_date"] <= row["next_order_date"] <= row["next_order_until_date"] <= last for row in told)


@pytest.mark.parametrize("rows_per_batch", [1, 7, 1000])
def test_the_size_of_a_batch_changes_no_score(trained_shop: Home, rows_per_batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    score(trained_shop, AS_OF)
    whole = scores(trained_shop)
    sizes: list[int] = []
    scored = score_module.scored

    def in_small_batches(features: object, *arguments: object) -> object:
        tables = [table for batch in features for table in batches_of(batch, rows_per_batch)]  # type: ignore[attr-defined]
        sizes.extend(table.num_rows for table in tables)
        return scored(tables, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(score_module, "scored", in_small_batches)
    score(trained_shop, AS_OF)
    assert max(sizes) <= rows_per_batch
    assert scores(trained_shop) == whole


def batches_of(batch: pa.RecordBatch, rows: int) -> list[pa.RecordBatch]:
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]


def test_a_night_without_customers_writes_no_scores(shop: Home) -> None:
    with open_warehouse(shop) as warehouse:
        warehouse.execute(f"delete from {CUSTOMER_FEATURES.qualified_name}")
    score(shop, AS_OF)
    assert scores(shop) == []


def test_a_damaged_model_stops_the_night_and_leaves_the_scores_as_they_are(
    trained_shop: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    score(trained_shop, AS_OF)
    before = scores(trained_shop)
    file = next(trained_shop.models.glob("*/churn_alone.json"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    try:
        with pytest.raises(ArtefactError):
            score(trained_shop, AS_OF)
        monkeypatch.setenv("REGULARS_HOME", str(trained_shop.path))
        assert main(["score", "--as-of", str(AS_OF)]) == 2
    finally:
        file.write_bytes(whole)
    assert "make train" in capsys.readouterr().err
    assert scores(trained_shop) == before
