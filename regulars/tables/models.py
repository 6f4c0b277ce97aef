"""What a training writes of its models."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

MODEL_EVALUATIONS = Table(
    "models",
    "model_evaluations",
    "One row per model version, cutoff, predictor and metric on customers that the training did not see.",
    (
        required("model_version", "text", "Version that was trained."),
        required("as_of_date", "date", "Cutoff whose outcomes were held out."),
        required("predictor", "text", "Rung of the ladder, rfm_cells, or serving for the model that served until then."),
        required("metric", "text", "Metric, such as log_loss."),
        required("value", "double", "Its value."),
    ),
    ("model_version", "as_of_date", "predictor", "metric"),
    "models",
    slice_by="model_version",
)

CALIBRATION_BINS = Table(
    "models",
    "calibration_bins",
    "One row per model version and tenth of the predicted churn probability on the held-out cutoff.",
    (
        required("model_version", "text", "Version that was trained."),
        required("bin", "integer", "Tenth of the predictions, 1 the lowest."),
        required("customers_count", "integer", "Customers in it."),
        required("predicted", "double", "Their mean churn_probability."),
        required("actual", "double", "Share of them that churned."),
    ),
    ("model_version", "bin"),
    "models",
    slice_by="model_version",
)

HINDCASTS = Table(
    "models",
    "hindcasts",
    "One row per model version, cutoff, predictor, grouping and part: what would have been said of unseen customers, and what came of it.",
    (
        required("model_version", "text", "Version that was trained."),
        required("as_of_date", "date", "Past cutoff."),
        required("churn_days", "integer", "Days after the cutoff over which churn is meant."),
        Column("value_days", "integer", "Days after the cutoff over which value is meant; null where they have not passed."),
        required(
            "is_churn_level_foretold", "boolean", "Whether the model's level of churn is the one foretold then; else the one that came out."
        ),
        required("is_value_level_foretold", "boolean", "The same of the level of value."),
        required("predictor", "text", "blend, or the baseline's name."),
        required("grouping", "text", "all, life stage, value third, churn tenth or value tenth; tenths are the predictor's own."),
        required("part", "text", "all; new, once, repeat, loyal; lowest, middle, highest; or the tenth, 1 the lowest."),
        required("part_number", "integer", "Place of the part among those of its grouping, from 1."),
        required("customers_count", "integer", "Customers in it."),
        required("churn_predicted", "double", "Their mean churn probability."),
        required("churned_share", "double", "Share of them that churned."),
        required("churn_log_loss", "double", "Mean log loss of their churn probability."),
        Column("value_predicted", "double", "Their mean expected value; null as value_days."),
        Column("value_actual", "double", "Their mean net revenue; null as value_days."),
        Column("value_error", "double", "Mean absolute difference of the two; null as value_days."),
        Column("above_q50_share", "double", "Share of them above their stated median value; null where none was stated."),
        Column("above_q80_share", "double", "Share of them above their stated 80 % quantile; null as above_q50_share."),
        Column("above_q90_share", "double", "Share of them above their stated 90 % quantile; null as above_q50_share."),
    ),
    ("model_version", "as_of_date", "predictor", "grouping", "part"),
    "models",
    slice_by="model_version",
)

BLEND_MEMBERS = Table(
    "models",
    "blend_members",
    "One row per model version, target and member of the blend: how much it weighs, and the losses on past cutoffs that decided it.",
    (
        required("model_version", "text", "Version that was trained."),
        required("target", "text", "churn or value."),
        required("member", "text", "What is averaged, such as trees_on_offset."),
        required("weight", "double", "Its share of the average; 0 where it was left out."),
        required("loss", "text", "What is measured of customers that the members had not seen: log loss, or Tweedie loss of the value."),
        required("member_loss", "double", "Mean loss of the member by itself."),
        required("chosen_loss", "double", "Mean loss of the blend with the weights, the same for all members of a target."),
        required("equal_loss", "double", "Mean loss of the blend with equal weights of the usual members."),
        required("because", "text", "Why these weights, in words."),
    ),
    ("model_version", "target", "member"),
    "models",
    slice_by="model_version",
)
