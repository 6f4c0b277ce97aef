"""Which rung serves after a trial, and when the serving model goes on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from models.ladder import Bearing, borne_by
from models.promotion import chosen
from models.registry import decide, decisions, load_model, promoted_for, save_model
from models.train import train
from models.trained_model import TrainedModel
from models.training_need import why_training_is_due
from models.trial import NEGLIGIBLE_LOG_LOSS, Incumbent, Trial, TrialPart
from regulars.home import Home
from regulars.tables import CUSTOMER_OUTCOMES
from regulars.warehouse import open_warehouse
from tests.models.synthetic_shop import AS_OF, fill, scorer_at

WHOLE = Bearing("blend", None)
LATER = AS_OF + timedelta(days=140)
"""So late that a cutoff with its whole churn horizon lies after AS_OF."""


def part(losses: Mapping[str, np.ndarray], gini: Mapping[str, float] | None = None) -> TrialPart:
    metrics = {name: {"gini": (gini or {}).get(name, 0.5)} for name in losses}
    return TrialPart(AS_OF, "later cutoff", metrics, "log loss", losses, 0.0)


def trial(churn: TrialPart, value: TrialPart | None = None) -> Trial:
    return Trial(churn, value, {}, np.zeros(0, bool))


def test_a_model_falls_short_when_its_loss_is_larger_by_more_than_tolerance_and_chance() -> None:
    rng = np.random.default_rng(1)
    losses = rng.gamma(2.0, 0.25, 1000)
    noise = rng.normal(0, 0.05, 1000)

    def found(ours: np.ndarray) -> str | None:
        return part({"blend": ours, "formula": losses}).shortcoming("blend", ["formula"], 0.02)

    assert found(losses + noise) is None
    assert found(losses * 1.01) is None
    words = found(losses * 1.1 + noise)
    assert words is not None
    assert "log loss" in words
    assert "of the formula" in words


def test_a_difference_that_nobody_would_notice_is_none() -> None:
    almost_sure = {"blend": np.full(100, 3e-3), "formula": np.full(100, 1e-3)}
    assert part(almost_sure).shortcoming("blend", ["formula"], 0.02) is not None
    assert replace(part(almost_sure), negligible=NEGLIGIBLE_LOG_LOSS).shortcoming("blend", ["formula"], 0.02) is None


def test_one_large_customer_does_not_keep_a_model_back() -> None:
    baseline = np.full(1000, 10.0)
    ours = np.full(1000, 8.0)
    ours[0] = 1e6
    assert ours.mean() > baseline.mean()
    assert part({"blend": ours, "formula": baseline}).shortcoming("blend", ["formula"], 0.02) is None


@pytest.mark.parametrize(
    ("ours", "found"), [(0.4, ["Gini of the value 0.400 against 0.600 of something simpler"]), (0.6, []), (np.nan, [])]
)
def test_a_worse_ranking_of_the_value_is_a_shortcoming(ours: float, found: list[str]) -> None:
    losses = {"blend": np.ones(10), "formula": np.ones(10)}
    assert trial(part(losses), part(losses, {"blend": ours, "formula": 0.6})).shortcomings("blend", 0.02) == found
    assert trial(part(losses)).shortcomings("blend", 0.02) == []


@pytest.mark.parametrize(
    ("losses", "serves"),
    [
        ((4, 3, 2, 1), "blend"),
        ((1, 1, 1, 1), "blend"),
        ((4, 3, 1, 2), "buy_till_you_die"),
        ((4, 1, 3, 2), "formula"),
        ((1, 2, 3, 4), "rules"),
    ],
)
def test_the_highest_rung_serves_that_is_not_worse_than_a_lower_one(losses: tuple[int, ...], serves: str) -> None:
    rungs = ("rules", "formula", "buy_till_you_die", "blend")
    choice = chosen(trial(part({rung: np.full(100, float(loss)) for rung, loss in zip(rungs, losses, strict=True)})), WHOLE, None, 0.02)
    assert choice.rung == serves
    assert len(choice.reasons) == 3 - rungs.index(serves)


@pytest.mark.parametrize(
    ("customers", "returned", "highest", "why"),
    [
        (0, 0, "rules", "0 customers, none of them ordered on a second day; the formula needs 10"),
        (23, 4, "rules", "23 customers, 4 of them ordered on a second day; the formula needs 10"),
        (1_200, 23, "formula", "1,200 customers, 23 of them ordered on a second day; buy-till-you-die needs 50"),
        (1_200, 50, "blend", None),
    ],
)
def test_who_came_back_decides_what_the_data_can_bear(customers: int, returned: int, highest: str, why: str | None) -> None:
    bearing = borne_by(customers, returned)
    assert (bearing.highest, bearing.why_not_higher) == (highest, why)
    assert bearing.below("blend", "too few").highest == ("buy_till_you_die" if highest == "blend" else highest)


def spoiled_outcomes(home: Home, before: date, share: float) -> None:
    """An accident in the shop's books: of the cutoffs until that date, so many of the customers have the opposite outcome."""
    with open_warehouse(home) as warehouse:
        warehouse.execute(
            f"update {CUSTOMER_OUTCOMES.qualified_name} set has_churned = not has_churned, "
            "net_revenue = case when has_churned then 100 else 0 end where as_of_date < ? and hash(customer_id) % 100 < ?",
            [before, round(100 * share)],
        )


def test_a_spoiled_challenger_is_not_promoted_and_the_serving_model_goes_on(own_trained_shop: Home) -> None:
    serving = promoted_for(own_trained_shop, AS_OF)
    assert serving is not None
    fill(own_trained_shop, customers=400, as_of=LATER)
    spoiled_outcomes(own_trained_shop, LATER - timedelta(days=112), 0.3)
    train(own_trained_shop, LATER)
    decision = decisions(own_trained_shop)[-1]
    assert decision.version == serving.version
    assert "of the serving model on 2024-07-27, after all that it learned from" in decision.why
    assert promoted_for(own_trained_shop, LATER - timedelta(days=1)) == serving
    assert why_training_is_due(own_trained_shop, LATER + timedelta(days=6)) is None
    assert scorer_at(own_trained_shop, LATER).model_version == serving.version


def test_a_spoiled_serving_model_is_replaced(own_trained_shop: Home) -> None:
    serving = promoted_for(own_trained_shop, AS_OF)
    assert serving is not None
    model = load_model(own_trained_shop, serving)
    assert isinstance(model, TrainedModel)
    spoiled = replace(model, churn=replace(model.churn, anchor=model.churn.anchor + 3.0))
    version, manifest_sha256 = save_model(own_trained_shop, AS_OF, spoiled, {})
    decide(own_trained_shop, serving.model_copy(update={"version": version, "manifest_sha256": manifest_sha256}))
    fill(own_trained_shop, customers=400, as_of=LATER)
    train(own_trained_shop, LATER)
    decision = decisions(own_trained_shop)[-1]
    assert decision.version.startswith(str(LATER))
    assert f"not worse than {version} on 2024-07-27" in decision.why


@pytest.mark.parametrize(("blend", "keeps", "reasons"), [(1.0, False, 0), (9.0, True, 1)])
def test_who_has_seen_the_trial_goes_on_only_when_the_highest_rung_is_worse_than_simpler_ones(
    trained_shop: Home, blend: float, keeps: bool, reasons: int
) -> None:
    serving = promoted_for(trained_shop, AS_OF)
    assert serving is not None
    incumbent = Incumbent(load_model(trained_shop, serving), serving.version, AS_OF)
    losses = {"rules": 4.0, "formula": 3.0, "buy_till_you_die": 2.0, "blend": blend}
    choice = chosen(trial(part({name: np.full(100, loss) for name, loss in losses.items()})), WHOLE, incumbent, 0.02)
    assert (choice.keeps_serving, len(choice.reasons)) == (keeps, reasons)
    assert choice.against_serving == f"not compared with {serving.version}, which has learned from what came after the cutoff of the trial"
