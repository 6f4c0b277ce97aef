"""Which model serves after a training, and why."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from models import train as train_module
from models.__main__ import main
from models.expectation_model import fit_expectation_model
from models.ladder import RUNGS
from models.registry import FORMULA_VERSION, RULES_VERSION, decisions, promoted_for
from models.train import train
from models.training_need import why_training_is_due
from regulars.errors import ArtefactError, InputError
from regulars.home import Home
from regulars.state import State
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_OUTCOMES
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, create, features_at, fill, frame_of, land_first_order, now_of, scorer_at, write_configuration


def summary(home: Home) -> str:
    with State(home.state).connection() as connection:
        return str(connection.execute("select summary from steps where step = 'train'").fetchone()["summary"])


def serving_version(home: Home, as_of: date = AS_OF) -> str:
    serving = promoted_for(home, as_of)
    assert serving is not None
    return serving.version


def test_a_better_model_is_promoted_and_its_evaluation_recorded(trained_shop: Home) -> None:
    version = serving_version(trained_shop)
    assert version.startswith(f"{AS_OF}-")
    assert "promoted" in summary(trained_shop)
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        evaluations = warehouse.rows(
            "select predictor, metric, value, as_of_date from models.model_evaluations where model_version = ?", [version]
        )
        bins = warehouse.rows("select sum(customers_count), count(*) from models.calibration_bins where model_version = ?", [version])
    figures = {(predictor, metric): value for predictor, metric, value, _ in evaluations}
    assert figures["blend", "log_loss"] < min(figures["formula", "log_loss"], figures["rfm_cells", "log_loss"])
    assert figures["blend", "gini"] > figures["formula", "gini"]
    assert {predictor for predictor, _ in figures} == {*RUNGS, "rfm_cells"}
    assert max(day for *_, day in evaluations) == AS_OF - timedelta(days=84)
    assert bins == [(400, 10)]


def test_the_same_training_gives_the_same_version(own_trained_shop: Home) -> None:
    before = serving_version(own_trained_shop)
    shutil.rmtree(own_trained_shop.models)
    train(own_trained_shop, AS_OF)
    assert serving_version(own_trained_shop) == before


@pytest.mark.parametrize(
    ("customers", "training", "rung", "reason"),
    [
        (60, {}, "buy_till_you_die", "60 customers before the training cutoffs; the blend needs 100"),
        (120, {"min_outcomes": 121}, "formula", "118 customers who churned; the blend needs 121"),
    ],
)
def test_a_shop_too_small_is_scored_by_a_lower_rung_and_told_why(
    tmp_path: Path, customers: int, training: dict[str, int], rung: str, reason: str
) -> None:
    home = write_configuration(tmp_path, **training)
    fill(home, customers)
    train(home, AS_OF)
    assert reason in summary(home)
    scorer = scorer_at(home)
    assert (scorer.scored_by, scorer.model_version) == (rung, serving_version(home))
    assert reason in scorer.why
    assert why_training_is_due(home, AS_OF) is None


def test_a_shop_whose_customers_all_churned_is_told_so(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    fill(home, 150)
    with open_warehouse(home) as warehouse:
        warehouse.execute(f"update {CUSTOMER_OUTCOMES.qualified_name} set has_churned = true, net_revenue = 0, orders_count = 0")
    train(home, AS_OF)
    assert "0 customers who ordered again; the blend needs 50" in summary(home)
    scorer = scorer_at(home)
    assert scorer.scored_by == "buy_till_you_die"
    prediction = scorer.predictor.predict(now_of(home))
    assert prediction.churn_probability.mean() > 0.98
    assert prediction.expected_value.max() == 0


def test_the_artefact_of_buy_till_you_die_predicts_exactly_as_it_does(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    fill(home, 60)
    train(home, AS_OF)
    now, loaded = now_of(home), scorer_at(home).predictor
    fitted = fit_expectation_model(frame_of(home), AS_OF)
    assert loaded == fitted
    assert np.array_equal(loaded.predict(now).expected_value, fitted.predict(now).expected_value)


@pytest.mark.parametrize("first_order", [None, AS_OF - timedelta(days=111)])
def test_a_shop_without_a_customer_is_scored_by_rules(tmp_path: Path, first_order: date | None) -> None:
    home = write_configuration(tmp_path)
    if first_order is not None:
        with open_warehouse(home) as warehouse:
            land_first_order(warehouse, first_order)
    train(home, AS_OF)
    assert serving_version(home) == RULES_VERSION
    assert "rules score: 0 customers, none of them ordered on a second day" in summary(home)


def test_a_shop_younger_than_history_and_horizon_is_scored_by_the_formula(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    with open_warehouse(home) as warehouse:
        land_first_order(warehouse, AS_OF - timedelta(days=111))
        create(warehouse, CUSTOMER_FEATURES)
        warehouse.append(CUSTOMER_FEATURES, features_at(AS_OF, 80))
    train(home, AS_OF)
    assert serving_version(home) == FORMULA_VERSION
    assert "need 112 days of orders" in summary(home)


def test_cutoffs_that_were_not_built_are_an_error_and_no_small_shop(tmp_path: Path) -> None:
    home = write_configuration(tmp_path)
    fill(home, 150)
    with open_warehouse(home) as warehouse:
        create(warehouse, CUSTOMER_OUTCOMES)
    with pytest.raises(InputError, match=r"customer_outcomes has not been built for 6 of 6 training dates"):
        train(home, AS_OF)
    assert decisions(home) == []


def test_a_past_night_is_not_scored_by_a_model_trained_later(trained_shop: Home) -> None:
    assert scorer_at(trained_shop).scored_by == "blend"
    assert scorer_at(trained_shop, AS_OF + timedelta(days=100)).scored_by == "blend"
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        cutoff = warehouse.rows(f"select max(as_of_date) from {CUSTOMER_OUTCOMES.qualified_name}")[0][0]
    assert scorer_at(trained_shop, cutoff).scored_by == "formula"


def test_a_model_is_fresh_for_so_many_days_and_only_for_the_present_configuration(own_trained_shop: Home) -> None:
    assert why_training_is_due(own_trained_shop, AS_OF) is None
    assert why_training_is_due(own_trained_shop, AS_OF + timedelta(days=6)) is None
    assert why_training_is_due(own_trained_shop, AS_OF + timedelta(days=7)) is not None
    assert why_training_is_due(own_trained_shop, AS_OF - timedelta(days=1)) is not None
    file = own_trained_shop.config / "prediction.yml"
    file.write_text(file.read_text().replace("churn_horizon_days: 60", "churn_horizon_days: 45"))
    assert why_training_is_due(own_trained_shop, AS_OF) is not None
    with pytest.raises(ArtefactError, match="predicts churn over 60 days"):
        scorer_at(own_trained_shop)


def test_no_outcome_that_became_known_later_is_learned_from(own_trained_shop: Home) -> None:
    before = serving_version(own_trained_shop)
    with open_warehouse(own_trained_shop) as warehouse:
        columns = "customer_id, as_of_date, 120, 9, false, 1e9"
        cutoffs = f"select max(as_of_date) from {CUSTOMER_OUTCOMES.qualified_name}"
        warehouse.execute(
            f"insert into {CUSTOMER_OUTCOMES.qualified_name} select {columns} from {CUSTOMER_OUTCOMES.qualified_name} "
            f"where as_of_date = ({cutoffs}) and horizon_days = 60"
        )
    train(own_trained_shop, AS_OF)
    assert serving_version(own_trained_shop) == before


def test_a_sample_holds_whole_customers(trained_shop: Home) -> None:
    from models.training_frame import read_training_frame

    whole = frame_of(trained_shop)
    cutoffs = whole.churn_cutoffs
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        sample = read_training_frame(warehouse, cutoffs, AS_OF, 60, 120, max_rows=1000)
    assert 500 < len(sample) < 1500
    assert set(np.bincount(sample.customers).tolist()) == {len(cutoffs)}


def test_the_command_trains(own_trained_shop: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_HOME", str(own_trained_shop.path))
    seen: list[object] = []
    monkeypatch.setattr("models.__main__.train", lambda *arguments: seen.extend(arguments))
    assert main(["train", "--as-of", "2024-06-01"]) == 0
    assert seen == [own_trained_shop, AS_OF, "training"]
    assert train_module.train is train
