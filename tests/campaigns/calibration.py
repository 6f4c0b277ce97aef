"""How true the predictions for the sample shop are, against what its simulation holds to be so.

    python -m tests.campaigns.calibration --customers 20000

trains and scores the shop as a night does and holds the predictions against what is to be expected of each customer given the
latent state: the own rates of ordering and of dropping out, the own mean spend, and whether the customer is still there. No
pipeline sees any of it. A calibrated prediction cannot meet each of these, but it meets their mean wherever it says the same;
they scatter far less than what happens to happen, so that a level off by a hundredth is seen in a shop of a thousand.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import minimize
from scipy.special import expit, logit

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from models.evaluation import calibration_error
from models.feature_matrix import numbers
from models.prediction import Figures
from models.train import train
from models.training_cutoffs import cutoffs_of_home
from regulars.features import build_features, build_staging
from regulars.home import Home
from regulars.sample_shop import ShopParameters, actual_outcomes, expected_outcomes, simulate
from regulars.sample_shop_home import export_sample_shop
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from scoring.score import score

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2025, 7, 1)
BOUNDS = {
    "slope": (0.8, 1.2),
    "intercept": (-0.2, 0.2),
    "churn_error": (0.0, 0.03),
    "value_bias": (0.9, 1.1),
    "value_bias_lowest_third": (0.7, 1.4),
    "value_bias_highest_third": (0.9, 1.1),
    "orders_bias": (0.9, 1.1),
}
"""What passes. No level of a season to come is known better than to some hundredths, so that a test of chance alone, such as
Spiegelhalter's, fails almost any forecast of a shop of many thousands: its z is told and not judged."""


@dataclass(frozen=True)
class Calibration:
    """Predictions against the truth.

    Attributes:
        slope, intercept: of the true log odds of churn over the predicted ones, fitted to the true probabilities; 1 and 0 at best.
        churn_error: expected calibration error against the true probabilities, over ten bins.
        spiegelhalter_z: of the predicted probabilities against what then happened.
        value_bias: total expected value over the true one, of all and of two thirds of the customers by expected value.
        orders_bias: total expected orders over the true ones.
    """

    customers: int
    slope: float
    intercept: float
    churn_error: float
    spiegelhalter_z: float
    value_bias: float
    value_bias_lowest_third: float
    value_bias_highest_third: float
    orders_bias: float

    def failures(self) -> list[str]:
        """In words, what lies outside its bounds."""
        found = asdict(self)
        return [
            f"{name} is {found[name]:.3f}, {low} to {high} pass" for name, (low, high) in BOUNDS.items() if not low <= found[name] <= high
        ]

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {value:,.3f}" if isinstance(value, float) else f"{name} {value:,}" for name, value in asdict(self).items()
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.calibration", description="Predictions against the simulated truth.")
    parser.add_argument("--customers", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        found = calibration(scored_shop(Path(folder) / "home", arguments.customers), AS_OF, arguments.customers)
    print(found)
    for failure in found.failures():
        print(f"  {failure}")
    return 1 if found.failures() else 0


def scored_shop(folder: Path, customers: int) -> Home:
    """The sample shop with the shipped configuration, after a training and a night's scoring."""
    shutil.copytree(ROOT / "config", folder / "config")
    home = Home.at(folder)
    export_sample_shop(home, AS_OF, customers)
    extract_source(home, "sample_shop", AS_OF, "training")
    land_source(home, "sample_shop", AS_OF, "training")
    build_staging(home, AS_OF, "training")
    build_features(home, AS_OF, "training", cutoffs_of_home(home, AS_OF))
    train(home, AS_OF)
    score(home, AS_OF, "training")
    return home


def calibration(home: Home, as_of: date, customers: int) -> Calibration:
    """How the scores of `as_of` stand to the truth; `customers` is what the sample shop was made with."""
    prediction = HomeSettings(home).prediction
    horizons = prediction.churn_horizon_days, prediction.value_horizon_days
    truth = pq.read_table(home.var / "sample_shop_truth" / "truth.parquet")
    happened = actual_outcomes(simulate(ShopParameters(customers=customers)), as_of, horizons[0])
    churn, value = (expected_outcomes(truth, as_of, days) for days in horizons)
    persons = truth.select(["person_id", "email"])
    true = (
        persons.join(
            churn.select(["person_id", "churn_probability"]).rename_columns(["person_id", "true_churn"]), "person_id", join_type="inner"
        )
        .join(value.select(["person_id", "expected_orders", "expected_net_revenue"]), "person_id")
        .join(happened.select(["person_id", "has_churned"]), "person_id")
    )
    with open_warehouse(home, role="activator", read_only=True) as warehouse:
        scores = warehouse.arrow(
            "select customers.normalised_email as email, churn_probability, expected_value, expected_orders_count "
            "from scores.customer_scores as scores inner join private.stg_customers as customers using (customer_id) where as_of_date = ?",
            [as_of],
        )
    joined = scores.join(true, "email", join_type="inner").sort_by("person_id")
    return _held_against(joined)


def _held_against(joined: pa.Table) -> Calibration:
    predicted, true, happened, value, true_value, orders, true_orders = (
        numbers(joined.column(name))
        for name in (
            "churn_probability",
            "true_churn",
            "has_churned",
            "expected_value",
            "expected_net_revenue",
            "expected_orders_count",
            "expected_orders",
        )
    )
    slope, intercept = _line(logit(np.clip(predicted, 1e-4, 1 - 1e-4)), true)
    spread = np.sqrt(np.sum((1 - 2 * predicted) ** 2 * predicted * (1 - predicted)))
    lowest, _, highest = np.array_split(np.argsort(value, kind="stable"), 3)
    return Calibration(
        len(predicted),
        slope,
        intercept,
        calibration_error(predicted, true),
        float(np.sum((happened - predicted) * (1 - 2 * predicted)) / spread),
        float(value.sum() / true_value.sum()),
        float(value[lowest].sum() / true_value[lowest].sum()),
        float(value[highest].sum() / true_value[highest].sum()),
        float(orders.sum() / true_orders.sum()),
    )


def _line(log_odds: Figures, probability: Figures) -> tuple[float, float]:
    """Slope and intercept of the log odds that fit the true probabilities best, by their expected log likelihood."""

    def loss(weights: Figures) -> tuple[float, Figures]:
        margin = weights[0] * log_odds + weights[1]
        off = expit(margin) - probability
        return float(np.mean(np.logaddexp(0.0, margin) - probability * margin)), np.array([np.mean(off * log_odds), np.mean(off)])

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(slope), float(intercept)


if __name__ == "__main__":
    sys.exit(main())
