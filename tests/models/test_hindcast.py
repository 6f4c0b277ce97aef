"""What would have been said at past cutoffs: of customers not seen, on a level that could be foretold, in parts that add up."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.expectation import Level, ObservedLevel, predicted_level
from models.hindcast import EXPECTATION, MODEL, run_hindcasts
from models.trained_model import TrainedModel, fit_model
from models.training_frame import TrainingFrame
from regulars.home import Home
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, CHURN_DAYS, VALUE_DAYS, churn_law, frame_of, now_of


@pytest.fixture(scope="module")
def fitted(trained_shop: Home) -> tuple[TrainingFrame, TrainedModel]:
    frame = frame_of(trained_shop)
    return frame, fit_model(frame, AS_OF, now_of(trained_shop))


def test_every_cutoff_with_the_longest_window_is_cast_in_parts_that_hold_each_customer_once(trained_shop: Home) -> None:
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        sizes = warehouse.rows(
            "select distinct as_of_date, churn_days, value_days, grouping, sum(customers_count) from models.hindcasts "
            "group by model_version, as_of_date, churn_days, value_days, predictor, grouping order by 1"
        )
        pooled = dict(
            warehouse.rows(
                "select predictor, avg(churn_log_loss) from models.hindcasts where grouping = 'all' group by predictor order by 2"
            )
        )
        coverage = warehouse.rows(
            "select avg(above_q90_share), count(above_q90_share), count(value_actual) from models.hindcasts "
            f"where grouping = 'all' and predictor = '{MODEL}'"
        )[0]
        missed = warehouse.rows(
            "select avg(abs(churn_predicted - churned_share)) from models.hindcasts "
            f"where predictor = '{MODEL}' and grouping = 'churn tenth'"
        )[0][0]
        foretold = warehouse.rows("select distinct as_of_date from models.hindcasts where is_churn_level_foretold order by 1")
    cutoffs = [cutoff for cutoff in frame_of(trained_shop).churn_cutoffs if (AS_OF - cutoff).days >= CHURN_DAYS]
    assert sorted({row[0] for row in sizes}) == cutoffs
    assert {row[1] for row in sizes} == {CHURN_DAYS}
    assert {row[0]: row[2] for row in sizes} == {one: VALUE_DAYS if (AS_OF - one).days >= VALUE_DAYS else None for one in cutoffs}
    assert {row[3] for row in sizes} == {"all", "life stage", "value third", "churn tenth", "value tenth"}
    assert {row[4] for row in sizes} == {400}
    assert next(iter(pooled)) == MODEL
    assert set(pooled) == {MODEL, EXPECTATION, "formula", "rfm_cells"}
    assert coverage[0] == pytest.approx(0.1, abs=0.05)
    assert coverage[1] == coverage[2] == len([one for one in cutoffs if (AS_OF - one).days >= VALUE_DAYS])
    assert missed < 0.1
    assert [row[0] for row in foretold] == [one for one in cutoffs if (one - cutoffs[0]).days >= CHURN_DAYS]


def test_no_hindcast_knows_what_came_after_its_cutoff(fitted: tuple[TrainingFrame, TrainedModel]) -> None:
    frame, model = fitted
    *earlier, last = frame.churn_cutoffs[:-1]
    told = {**frame.shops, last: replace(frame.shops[last], churn_level=ObservedLevel(CHURN_DAYS, Level(3.0, 3.0)))}
    as_it_was = run_hindcasts(frame, model.unseen, model.quantiles, 2.0)
    as_told = run_hindcasts(replace(frame, shops=told), model.unseen, model.quantiles, 2.0)
    assert [one.cutoff for one in as_it_was] == [*earlier, last]
    for one, other in zip(as_it_was, as_told, strict=True):
        for name, said in one.by_predictor.items():
            np.testing.assert_array_equal(said.churn, other.by_predictor[name].churn)


def test_a_hindcast_is_on_the_foretold_level_and_follows_the_true_law(fitted: tuple[TrainingFrame, TrainedModel]) -> None:
    frame, model = fitted
    assert model.unseen is not None
    first, *_, last = run_hindcasts(frame, model.unseen, model.quantiles, 2.0)
    at = frame.is_at(first.cutoff)
    assert not first.is_churn_level_foretold
    assert first.by_predictor[MODEL].churn.mean() == pytest.approx(expit(model.unseen.offsets.churn[at]).mean(), abs=1e-6)
    assert last.is_churn_level_foretold
    shop = frame.shops[last.cutoff]
    level = predicted_level([(one, one.churn_level) for one in frame.shops.values()], shop, CHURN_DAYS)
    silence = model.unseen.offsets.silence[frame.is_at(last.cutoff)]
    assert last.by_predictor[MODEL].churn.mean() == pytest.approx(expit(silence + level.shift).mean(), abs=1e-6)
    truth = churn_law(frame.features.filter(frame.is_at(last.cutoff)))
    correlations = {name: np.corrcoef(said.churn, truth)[0, 1] for name, said in last.by_predictor.items()}
    assert correlations[MODEL] > 0.8 > max(figure for name, figure in correlations.items() if name != MODEL)


def test_without_trees_the_baselines_are_cast_alone(fitted: tuple[TrainingFrame, TrainedModel]) -> None:
    found = run_hindcasts(fitted[0], None, None, 2.0)
    assert [set(one.by_predictor) for one in found][-1] == {"formula", "rfm_cells"}
    assert sum(len(rows) for one in found for rows in one.rows()) > 0
