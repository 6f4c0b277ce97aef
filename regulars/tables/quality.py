"""What the gates write."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

GATES = ("raw", "features", "scores")
"""The boundaries that a night is held up at, in their order."""

GATE_RESULTS = Table(
    "quality",
    "gate_results",
    "One row per as_of_date, gate and expectation.",
    (
        required("as_of_date", "date", "The night."),
        required("gate", "text", "Boundary that the gate stands at: raw, features or scores."),
        required("expectation", "text", "What was expected."),
        required("column_name", "text", "Column that it was expected of; empty for the whole table."),
        required("is_met", "boolean", "Whether it held, or a person has accepted that it did not."),
        required("observed", "text", "What was seen."),
        Column("table_name", "text", "Table that it was expected of."),
        Column("outcome", "text", "met, warned, accepted or broken."),
    ),
    ("as_of_date", "gate", "expectation", "column_name", "table_name"),
    "quality",
    slice_by="as_of_date",
)

PROFILES = Table(
    "quality",
    "profiles",
    "One row per as_of_date, gate, table, column and statistic: what the gate reads instead of the table.",
    (
        required("as_of_date", "date", "The night."),
        required("gate", "text", "Boundary that the gate stands at: raw, features or scores."),
        required("table_name", "text", "Table that is described."),
        required("column_name", "text", "Its column, or * for all rows."),
        required(
            "statistic", "text", "Statistic, such as null_share; those that begin with new_ are of rows learned since the last night."
        ),
        Column("value", "double", "Its value; booleans count as 0 and 1, texts as their length, moments as days from 1970."),
    ),
    ("as_of_date", "gate", "table_name", "column_name", "statistic"),
    "quality",
    slice_by="as_of_date",
)

HISTOGRAMS = Table(
    "quality",
    "histograms",
    "One row per as_of_date, table, column and bin with a row in it: how the values were spread, to be held against other dates.",
    (
        required("as_of_date", "date", "The night, or the cutoff that the serving model was evaluated on."),
        required("table_name", "text", "Table that is described."),
        required("column_name", "text", "Its column."),
        Column("bin", "integer", "Bin with the same bounds on every date; null counts the rows without a value."),
        required("rows_count", "integer", "Rows whose value falls into it."),
    ),
    ("as_of_date", "table_name", "column_name", "bin"),
    "quality",
    slice_by="as_of_date",
)
