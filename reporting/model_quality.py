"""How good the scoring model was on customers that it did not learn from: kept promises, and simpler rules beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from regulars.tables import CALIBRATION_BINS, MODEL_EVALUATIONS
from regulars.warehouse import Warehouse
from reporting.charts.bars import Bar, horizontal_bars
from reporting.charts.calibration import CalibrationBin, calibration_curve
from reporting.figure import HALF, Absent, DataTable, Figure, figure
from reporting.hindcasts import predictor_title
from reporting.night import Night
from reporting.numbers import count, percent, short_date

MODEL = "our_model"
"""The rung that scored, whichever it was."""


@dataclass(frozen=True)
class Metric:
    """A metric in words that a marketer knows."""

    name: str
    title: str
    note: str
    higher_is_better: bool
    is_share: bool = True
    is_money: bool = False

    def text(self, value: float, night: Night) -> str:
        if self.is_money:
            return night.money.full(value)
        return percent(value) if self.is_share else f"{value:.3f}"


METRICS = (
    Metric(
        "roc_auc",
        "Telling who will leave",
        "Of one customer who left and one who stayed, how often the leaver was ranked higher; half is a coin.",
        higher_is_better=True,
    ),
    Metric(
        "log_loss",
        "Honest probabilities",
        "Log loss of the churn probability: shorter is better, and being surely wrong costs most.",
        higher_is_better=False,
        is_share=False,
    ),
    Metric(
        "top_tenth_share",
        "Finding the best customers",
        "Share of the later revenue that came from the tenth ranked first; longer is better.",
        higher_is_better=True,
    ),
    Metric(
        "hit_rate_5",
        "Guessing what is bought next",
        "How many of those who ordered again bought one of five products that were named before; longer is better.",
        higher_is_better=True,
    ),
    Metric(
        "mae",
        "Error in money",
        "By how much the expected value of a customer missed, on average; shorter is better.",
        higher_is_better=False,
        is_money=True,
    ),
)
"""Those with a chart; the table shows all that were measured."""


@dataclass(frozen=True)
class Evaluation:
    """What a predictor reached in a metric at the latest cutoff that it was held out on."""

    predictor: str
    metric: str
    value: float
    cutoff: date


def calibration(warehouse: Warehouse, night: Night) -> Figure | Absent:
    """Predicted against actual churn on the held-out cutoff, by tenths."""
    title = "Do the probabilities come true?"
    if not night.is_scored:
        return Absent(title, "Nobody was scored on this night.")
    rows = warehouse.rows(
        f"select bin, customers_count, predicted, actual from {CALIBRATION_BINS.qualified_name} where model_version = ? order by bin",
        [night.model_version],
    )
    if not rows:
        return Absent(title, _no_evaluation(night))
    bins = [CalibrationBin(row[1], row[2], row[3]) for row in rows]
    customers = sum(bin.customers_count for bin in bins)
    miss = sum(abs(bin.predicted - bin.actual) * bin.customers_count for bin in bins) / customers
    return figure(
        "calibration",
        f"The probabilities are off by {percent(miss, 1)} on average",
        f"{count(customers)} customers that the training did not see, in tenths by churn probability. "
        "On the dashed line exactly as many left as predicted.",
        lambda width: calibration_curve(width, bins),
        DataTable(
            ("Tenth", "Customers", "Predicted", "Left"),
            [(str(row[0]), count(row[1]), percent(row[2], 1), percent(row[3], 1)) for row in rows],
        ),
        HALF,
    )


def load_evaluations(warehouse: Warehouse, night: Night) -> list[Evaluation]:
    """All evaluations of the model that scored and of its baselines, the model first; metrics without a value left out."""
    rows = warehouse.rows(
        f"""
        with latest as (
            select metric, max(as_of_date) as cutoff from {MODEL_EVALUATIONS.qualified_name} where model_version = ? group by metric
        )
        select case when evaluations.predictor = ? then '{MODEL}' else evaluations.predictor end as predictor, evaluations.metric,
            evaluations.value, latest.cutoff
        from {MODEL_EVALUATIONS.qualified_name} as evaluations
        inner join latest on evaluations.metric = latest.metric and evaluations.as_of_date = latest.cutoff
        where evaluations.model_version = ?
        order by evaluations.metric, case when evaluations.predictor = ? then 0 else 1 end, evaluations.predictor
        """,
        [night.model_version, night.scored_by, night.model_version, night.scored_by],
    )
    return [Evaluation(*row) for row in rows if isfinite(row[2])]


def model_against_baselines(warehouse: Warehouse, night: Night) -> list[Figure | Absent]:
    """One chart a metric, the model first."""
    title = "Is the model better than a simple rule?"
    if not night.is_scored:
        return [Absent(title, "Nobody was scored on this night.")]
    evaluations = load_evaluations(warehouse, night)
    figures: list[Figure | Absent] = []
    for metric in METRICS:
        of_metric = [evaluation for evaluation in evaluations if evaluation.metric == metric.name]
        if of_metric:
            figures.append(_metric_figure(metric, of_metric, night))
    return figures or [Absent(title, _no_evaluation(night))]


def _metric_figure(metric: Metric, evaluations: Sequence[Evaluation], night: Night) -> Figure:
    best = (max if metric.higher_is_better else min)(evaluations, key=lambda evaluation: evaluation.value)
    bars = [
        Bar(_title(e.predictor), e.value, metric.text(e.value, night), "fill-accent" if e.predictor == MODEL else "fill-soft")
        for e in evaluations
    ]
    return figure(
        f"metric-{metric.name.replace('_', '-')}",
        f"{metric.title}: {_verdict(best)}",
        f"{metric.note} Measured from {short_date(evaluations[0].cutoff)} on.",
        lambda width: horizontal_bars(width, bars),
        DataTable(("Predictor", metric.name.replace("_", " ")), [(bar.label, bar.text) for bar in bars]),
        HALF,
    )


def all_metrics(warehouse: Warehouse, night: Night) -> DataTable | None:
    """Every metric of every predictor, for those who want to know exactly."""
    evaluations = load_evaluations(warehouse, night)
    if not evaluations:
        return None
    predictors = sorted({e.predictor for e in evaluations}, key=lambda name: (name != MODEL, name))
    values = {(e.metric, e.predictor): e.value for e in evaluations}
    return DataTable(
        ("Metric", *(_title(name) for name in predictors)),
        [
            (metric.replace("_", " "), *(f"{values[metric, name]:,.4g}" if (metric, name) in values else "–" for name in predictors))
            for metric in sorted({e.metric for e in evaluations})
        ],
    )


def _title(predictor: str) -> str:
    """The trial's blend is not our model where a lower rung scored."""
    return {MODEL: "Our model", "blend": "Blend"}.get(predictor) or predictor_title(predictor)


def _verdict(best: Evaluation) -> str:
    return "our model is ahead" if best.predictor == MODEL else f"“{_title(best.predictor)}” is ahead"


def _no_evaluation(night: Night) -> str:
    if night.scored_by in ("rules", "formula"):
        return f"The shop has too little to train a model on: {predictor_title(night.scored_by).lower()} scored, not evaluated."
    return f"The model {night.model_version} has no evaluation in the warehouse."
