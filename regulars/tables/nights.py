"""What control keeps of nights, builds and past cutoffs."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

NIGHTS = Table(
    "control",
    "nights",
    "One row per as_of_date that has had a night: fixes what that night knew.",
    (
        required("as_of_date", "date", "The night's as_of."),
        required("known_until", "timestamp", "Facts learned later than this are not seen by the night."),
        required("run_id", "text", "Run that opened the night, the last one when it was run again."),
        required("config_hash", "text", "SHA-256 over the home's configuration, which is kept in var/configurations/."),
        Column("model_version", "text", "Model that scored; null until scoring."),
        Column("scored_because", "text", "Why that rung of the ladder scored, in words; null until scoring."),
        Column("ledger_position", "integer", "Last entry of the ledger when the night was planned; null until then."),
        Column(
            "contacts_known_until",
            "timestamp",
            "Consents and addresses learned later than this are not seen by the night's lists; null until they are made.",
        ),
    ),
    ("as_of_date",),
    "regulars",
)

AS_OF_DATES = Table(
    "control",
    "as_of_dates",
    "One row per as_of_date whose features or outcomes the next build computes.",
    (
        required("as_of_date", "date", "Start of that day in shop time, exclusive."),
        required("known_until", "timestamp", "Facts learned later than this are not seen."),
        required(
            "purpose",
            "text",
            "night, rebuild of one, training for a past cutoff whose outcomes are wanted too, or outcomes where its features stand.",
        ),
        Column("carried_from", "date", "Earlier night whose orders and baskets are carried over where nothing differs; null: none."),
        Column("carried_known_until", "timestamp", "What that night knew."),
        Column(
            "sampled_below",
            "text",
            "Only customers whose id has an MD5 that begins with less than these four hexadecimal digits; null: all.",
        ),
    ),
    ("as_of_date",),
    "regulars",
)

PARAMETERS = Table(
    "control",
    "parameters",
    "One row: the settings that dbt models read. A table and not dbt vars, which would force a full parse.",
    (
        required("time_zone", "text", "IANA name of the shop's time zone."),
        required("currency", "text", "Reporting currency."),
        required("churn_horizon_days", "integer", "Days without an order that mean churn."),
        required("value_horizon_days", "integer", "Days over which the expected value counts."),
        required("formula_lifespan_years", "double", "Lifespan in the classical formula of lifetime value."),
        required("outcomes_until", "date", "Outcomes are computed only where the horizon ends by this date."),
    ),
    ("time_zone",),
    "regulars",
)

BUILDS = Table(
    "control",
    "builds",
    "One row per layer that stands complete and tested: what it was built from, so that nothing is built twice.",
    (
        required("layer", "text", "Layer of the dbt project."),
        required("fingerprint", "text", "SHA-256 over the parameters and dbt models that it was built with."),
        required("run_id", "text", "Run that built it."),
        Column("as_of_date", "date", "Night whose orders and baskets stand, to be carried over to the next; null for staging."),
    ),
    ("layer",),
    "regulars",
)

FEATURE_SLICES = Table(
    "control",
    "feature_slices",
    "One row per as_of_date whose features stand, with what they were computed from: a training computes none of them again.",
    (
        required("as_of_date", "date", "The slice of features.customer_features."),
        required("known_until", "timestamp", "Facts learned later than this were not seen."),
        required("fingerprint", "text", "SHA-256 over the parameters and dbt models that it was built with."),
        Column("sampled_below", "text", "As in control.as_of_dates."),
    ),
    ("as_of_date",),
    "regulars",
)

STAGED_ROWS = Table(
    "control",
    "staged_rows",
    "One row per run, source and table of raw whose rows stand in the tables of staging, all computed and tested.",
    (
        required("run_id", "text", "Run that landed the rows."),
        required("source", "text", "Name of the source."),
        required("table_name", "text", "Canonical table."),
        required(
            "rows_count", "integer", "Rows that raw held of them when staging was built; another count now means a build of everything."
        ),
    ),
    ("run_id", "source", "table_name"),
    "regulars",
)
