"""The tables in which stages meet: name, grain, key and columns, declared once.

Python creates the tables that Python writes from these contracts; a test holds dbt's manifest against the tables that
dbt writes. Types are engine-neutral: see `regulars.warehouse` for what each engine makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "integer", "double", "amount", "timestamp", "date", "boolean", "bytes"]
"""`amount` is DECIMAL(18, 4), so that sums do not depend on the order of addition; `timestamp` is UTC without zone."""


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    description: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """One table's contract.

    `key` identifies a row; `slice_by` names the column whose whole slice one write replaces (empty: merged on the key
    or appended). `written_by` is the stage that writes it.
    """

    schema: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    written_by: str
    slice_by: str = ""

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.qualified_name} has no column {name!r}")


def _required(name: str, type: ColumnType, description: str) -> Column:
    return Column(name, type, description, nullable=False)


VERSION_COLUMNS = (
    _required("source", "text", "Name of the source in config/sources.yml."),
    _required("record_key", "text", "Key of the record within the source and table."),
    _required("content_hash", "text", "MD5 over the record's canonical columns: equal content, equal hash."),
    _required("event_at", "timestamp", "When it happened."),
    _required("known_at", "timestamp", "When we learned it; equals event_at on the first load of a history."),
    _required("is_known_at_assumed", "boolean", "True where known_at was assumed to be event_at on a first load."),
    _required("run_id", "text", "Run that landed the row."),
    Column("file", "text", "File that the row was read from, relative to the source's folder."),
    Column("line", "integer", "First line of the row in that file, counted from 1 with the header."),
)
"""What every table of `raw` and `private.customers` carries beside its own columns."""


def _landed(schema: str, name: str, grain: str, *columns: Column) -> Table:
    return Table(schema, name, grain, (*columns, *VERSION_COLUMNS), ("source", "record_key", "content_hash", "known_at"), "ingestion")


CUSTOMERS = _landed(
    "private",
    "customers",
    "One row per account or guest per version of its data, per source.",
    _required("account_id", "text", "The shop's own id of the account, or guest-… for an e-mail address that ordered without one."),
    Column("email", "text", "E-mail address as the shop gives it."),
    Column("normalised_email", "text", "The address that identifies a person: NFC, lower case, without surrounding blanks."),
    Column("first_name", "text", "Given name."),
    Column("last_name", "text", "Family name."),
    Column("phone", "text", "Phone number as the shop gives it."),
    Column("birth_date", "date", "Date of birth."),
    Column("postal_code", "text", "Postal code."),
    Column("city", "text", "City."),
    Column("country", "text", "Country as the shop gives it."),
    Column("registered_at", "timestamp", "When the account was opened; null for guests."),
)

ORDERS = _landed(
    "raw",
    "orders",
    "One row per order per version.",
    _required("order_id", "text", "The shop's own id of the order."),
    Column("account_id", "text", "The account or guest that ordered; null when the shop does not know."),
    _required("ordered_at", "timestamp", "When the order was placed."),
    Column("cancelled_at", "timestamp", "When the whole order was cancelled; null when it was not."),
    _required("net_revenue", "amount", "Goods after discount, without tax and shipping, before refunds."),
    Column("discount_amount", "amount", "Discount given on the order."),
    Column("shipping_amount", "amount", "Shipping charged."),
    Column("tax_amount", "amount", "Tax charged."),
    _required("currency", "text", "ISO 4217 code of the amounts."),
    Column("coupon_code", "text", "Coupon used."),
    Column("items_count", "integer", "Units ordered, for a source without order lines."),
)

ORDER_LINES = _landed(
    "raw",
    "order_lines",
    "One row per order line per version.",
    _required("order_id", "text", "The order that the line belongs to."),
    _required("line_id", "text", "Id of the line within the source."),
    Column("account_id", "text", "The account or guest that ordered."),
    _required("ordered_at", "timestamp", "When the order was placed."),
    Column("product_id", "text", "The shop's own id of the product."),
    Column("product_name", "text", "Name of the product as sold."),
    Column("category", "text", "Category of the product as sold."),
    _required("quantity", "integer", "Units."),
    _required("unit_price", "amount", "Price of one unit after discount, without tax."),
    _required("net_revenue", "amount", "Quantity times unit price, before refunds."),
    Column("discount_amount", "amount", "Discount given on the line."),
    _required("currency", "text", "ISO 4217 code of the amounts."),
)

REFUNDS = _landed(
    "raw",
    "refunds",
    "One row per refund or cancelled line per version.",
    _required("refund_id", "text", "Id of the refund within the source."),
    Column("order_id", "text", "Order that is refunded; null when the source does not say."),
    Column("line_id", "text", "Order line that is refunded; null for a refund of a whole order or an unknown line."),
    Column("account_id", "text", "The account or guest that is refunded."),
    Column("product_id", "text", "Product that came back."),
    Column("quantity", "integer", "Units that came back."),
    Column("unit_price", "amount", "Price of one unit that came back."),
    _required("amount", "amount", "Money given back, a positive number."),
    _required("refunded_at", "timestamp", "When it was refunded."),
    Column("reason", "text", "Reason as the shop gives it."),
    Column(
        "match_within_days",
        "integer",
        "For a refund without order: match it to the latest earlier lines of the same account, product and price within so many days.",
    ),
    _required("currency", "text", "ISO 4217 code of the amounts."),
)

PRODUCTS = _landed(
    "raw",
    "products",
    "One row per product per version.",
    _required("product_id", "text", "The shop's own id of the product."),
    Column("product_name", "text", "Name."),
    Column("category", "text", "Category."),
    Column("cost_amount", "amount", "What one unit costs the shop."),
    Column("price", "amount", "List price of one unit."),
    Column("warranty_days", "integer", "Days of warranty."),
    Column("lifespan_days", "integer", "Days that one unit usually lasts."),
    Column("currency", "text", "ISO 4217 code of the amounts."),
)

CONSENTS = _landed(
    "raw",
    "consents",
    "One row per change of a customer's permission on a channel per version.",
    _required("account_id", "text", "The account or guest that gave or withdrew it."),
    _required("channel", "text", "email, sms, post or ads."),
    _required("status", "text", "granted or denied."),
    _required("changed_at", "timestamp", "When it was given or withdrawn."),
    Column("consent_source", "text", "Where it was given, such as checkout."),
)

CANONICAL_TABLES = (CUSTOMERS, ORDERS, ORDER_LINES, REFUNDS, PRODUCTS, CONSENTS)
"""What a source can give. A source declares which of these it does give."""

QUARANTINE = Table(
    "private",
    "quarantine",
    "One row per row of a source that could not be used, per run that read it.",
    (
        _required("run_id", "text", "Run that read it."),
        _required("source", "text", "Name of the source."),
        _required("table_name", "text", "Canonical table that it was meant for."),
        _required("file", "text", "File that it stands in."),
        _required("line", "integer", "First line of the row in that file, counted from 1 with the header."),
        _required("reason", "text", "What is wrong with it, and in which column."),
        _required("raw_bytes", "bytes", "The row as it stands in the file."),
        _required("quarantined_at", "timestamp", "known_at of the run that read it from its file."),
        Column("mapped_table", "text", "Table whose mapping read it: orders, say, for a cancelled order that was meant for refunds."),
        Column("header", "text", "Names of the file's columns, as a JSON list."),
        Column("extracted_by", "text", "Run that read it from its file: an earlier one, when a requeue found it bad again."),
        Column("closed_by", "text", "Run that read it again, from here or with its file; null while it waits."),
    ),
    ("source", "mapped_table", "file", "line", "run_id"),
    "ingestion",
)

INGESTION_ACCOUNTS = Table(
    "control",
    "ingestion_accounts",
    "One row per run, source and table: rows_read = rows_loaded + duplicates_merged + rows_excluded + rows_quarantined.",
    (
        _required("run_id", "text", "Run."),
        _required("source", "text", "Name of the source."),
        _required("table_name", "text", "Canonical table."),
        _required("rows_read", "integer", "Rows that the source gave."),
        _required("rows_loaded", "integer", "Rows new to the warehouse, new versions included."),
        _required("duplicates_merged", "integer", "Rows whose key and content were known already."),
        _required("rows_excluded", "integer", "Rows left out by a declared rule."),
        _required("rows_quarantined", "integer", "Rows set aside with a reason."),
    ),
    ("run_id", "source", "table_name"),
    "ingestion",
)

EXCLUSIONS = Table(
    "control",
    "exclusions",
    "One row per run, source, table and exclude rule: how many rows the rule left out.",
    (
        _required("run_id", "text", "Run."),
        _required("source", "text", "Name of the source."),
        _required("table_name", "text", "Canonical table."),
        _required("reason", "text", "The rule's reason."),
        _required("rows_excluded", "integer", "Rows that it left out."),
    ),
    ("run_id", "source", "table_name", "reason"),
    "ingestion",
)

LANDED_FILES = Table(
    "control",
    "landed_files",
    "One row per source and file, as it was when last landed: an unchanged file is not read again.",
    (
        _required("source", "text", "Name of the source."),
        _required("file", "text", "File, relative to the source's folder."),
        _required("sha256", "text", "SHA-256 of the file's bytes."),
        _required("mapping_sha256", "text", "SHA-256 of the mapping that it was read with."),
        _required("run_id", "text", "Run that landed it."),
    ),
    ("source", "file"),
    "ingestion",
)

NIGHTS = Table(
    "control",
    "nights",
    "One row per as_of_date that has had a night: fixes what that night knew.",
    (
        _required("as_of_date", "date", "The night's as_of."),
        _required("known_until", "timestamp", "Facts learned later than this are not seen by the night."),
        _required("run_id", "text", "Run that opened the night, the last one when it was run again."),
        _required("config_hash", "text", "SHA-256 over the home's configuration, which is kept in var/configurations/."),
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
        _required("as_of_date", "date", "Start of that day in shop time, exclusive."),
        _required("known_until", "timestamp", "Facts learned later than this are not seen."),
        _required(
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
        _required("time_zone", "text", "IANA name of the shop's time zone."),
        _required("currency", "text", "Reporting currency."),
        _required("churn_horizon_days", "integer", "Days without an order that mean churn."),
        _required("value_horizon_days", "integer", "Days over which the expected value counts."),
        _required("formula_lifespan_years", "double", "Lifespan in the classical formula of lifetime value."),
        _required("outcomes_until", "date", "Outcomes are computed only where the horizon ends by this date."),
    ),
    ("time_zone",),
    "regulars",
)

BUILDS = Table(
    "control",
    "builds",
    "One row per layer that stands complete and tested: what it was built from, so that nothing is built twice.",
    (
        _required("layer", "text", "Layer of the dbt project."),
        _required("fingerprint", "text", "SHA-256 over the parameters and dbt models that it was built with."),
        _required("run_id", "text", "Run that built it."),
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
        _required("as_of_date", "date", "The slice of features.customer_features."),
        _required("known_until", "timestamp", "Facts learned later than this were not seen."),
        _required("fingerprint", "text", "SHA-256 over the parameters and dbt models that it was built with."),
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
        _required("run_id", "text", "Run that landed the rows."),
        _required("source", "text", "Name of the source."),
        _required("table_name", "text", "Canonical table."),
        _required(
            "rows_count", "integer", "Rows that raw held of them when staging was built; another count now means a build of everything."
        ),
    ),
    ("run_id", "source", "table_name"),
    "regulars",
)

CUSTOMER_FEATURES = Table(
    "features",
    "customer_features",
    "One row per customer per as_of_date.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "Only events before this day's start in shop time count."),
        # How often, how recently, how long
        _required("customer_age_days", "integer", "Days since the first order."),
        _required("days_since_last_order", "integer", "Days since the last order."),
        _required("orders_count", "integer", "Orders so far; an order refunded to nothing is none."),
        _required("repeat_orders_count", "integer", "Orders after the first."),
        _required("repeat_order_days_count", "integer", "Days with an order after the first such day (x of buy-till-you-die models)."),
        _required("active_span_days", "integer", "Days from the first to the last order (t_x of buy-till-you-die models)."),
        _required("orders_30d_count", "integer", "Orders in the last 30 days."),
        _required("orders_90d_count", "integer", "Orders in the last 90 days."),
        _required("orders_180d_count", "integer", "Orders in the last 180 days."),
        _required("orders_365d_count", "integer", "Orders in the last 365 days."),
        _required("active_months_365d_count", "integer", "30-day steps of the last 365 days with an order."),
        # Money
        _required("historic_value", "double", "Net spend so far, refunds subtracted."),
        _required("average_order_value", "double", "historic_value / orders_count."),
        _required("last_order_value", "double", "Net revenue of the last order."),
        _required("max_order_value", "double", "Net revenue of the dearest order."),
        _required("order_value_stddev", "double", "Population standard deviation of the orders' net revenue."),
        _required("net_revenue_30d", "double", "Net revenue of the orders of the last 30 days."),
        _required("net_revenue_90d", "double", "Net revenue of the orders of the last 90 days."),
        _required("net_revenue_180d", "double", "Net revenue of the orders of the last 180 days."),
        _required("net_revenue_365d", "double", "Net revenue of the orders of the last 365 days."),
        _required("formula_value", "double", "The classical formula: average order value × orders a year × lifespan in years."),
        # Rhythm
        Column("mean_gap_days", "double", "Mean days between successive order days; null before the second."),
        Column("median_gap_days", "double", "Median days between successive order days; null before the second."),
        Column("gap_days_stddev", "double", "Population standard deviation of the gaps; null before the second order day."),
        Column("last_gap_days", "integer", "Days between the last two order days; null before the second."),
        Column("max_gap_days", "integer", "Longest gap so far; null before the second order day."),
        _required("usual_gap_days", "double", "The customer's own mean gap, shrunk towards the shop's by one gap's weight."),
        _required("overdue_ratio", "double", "days_since_last_order / usual_gap_days."),
        _required("overdue_days", "double", "days_since_last_order - usual_gap_days."),
        _required("orders_per_year", "double", "Orders a year over the customer's age, at least 30 days."),
        # Trend and season
        _required("orders_trend_ratio", "double", "(orders of the last 90 days + 1) / (orders of the 90 days before + 1)."),
        _required(
            "net_revenue_trend_ratio",
            "double",
            "(net revenue of the last 90 days + the shop's mean order) / (the 90 days before + the same).",
        ),
        _required("orders_same_season_last_year_count", "integer", "Orders in the churn horizon that began 365 days before as_of."),
        _required("weekend_orders_share", "double", "Share of orders on Saturday or Sunday."),
        # Baskets
        _required("average_basket_units", "double", "Units per order; 1 where the source has no units."),
        _required("average_basket_products", "double", "Different products per order; 1 where the source has no lines."),
        _required("distinct_products_count", "integer", "Different products bought."),
        _required("distinct_categories_count", "integer", "Different categories bought."),
        Column("top_category", "text", "Category with the most net revenue; null where the source has none."),
        _required("top_category_share", "double", "Its share of the net revenue; 0 where the source has none."),
        Column("last_category", "text", "Category with the most net revenue in the last order; null where the source has none."),
        # What was given away, what came back
        _required("discounted_orders_share", "double", "Share of orders with a discount or coupon."),
        _required("discount_share", "double", "Discount / (net revenue + discount)."),
        _required("refunds_count", "integer", "Refunds so far."),
        _required("refunded_share", "double", "Money refunded / (net spend + money refunded)."),
        Column("days_since_last_refund", "integer", "Days since the last refund; null without one."),
        _required("has_refund_on_last_order", "boolean", "Something of the last order came back."),
    ),
    ("customer_id", "as_of_date"),
    "dbt",
    slice_by="as_of_date",
)

CUSTOMER_OUTCOMES = Table(
    "features",
    "customer_outcomes",
    "One row per customer per as_of_date per horizon, or the part of it that has passed.",
    (
        _required("customer_id", "text", "The person; every customer with an order before as_of_date."),
        _required("as_of_date", "date", "Start of the horizon."),
        _required("horizon_days", "integer", "Length of the horizon, or of its part that lies before the training's as_of."),
        _required("orders_count", "integer", "Orders in [as_of_date, as_of_date + horizon_days)."),
        _required("has_churned", "boolean", "True when orders_count is 0."),
        _required("net_revenue", "double", "Net revenue of those orders, refunds known by the horizon's end subtracted."),
    ),
    ("customer_id", "as_of_date", "horizon_days"),
    "dbt",
    slice_by="as_of_date",
)

CUSTOMER_SCORES = Table(
    "scores",
    "customer_scores",
    "One row per customer per as_of_date.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "When it was predicted for."),
        _required("churn_probability", "double", "Calibrated probability of no order within the churn horizon, 0 to 1."),
        _required("churn_horizon_days", "integer", "The churn horizon."),
        _required("expected_value", "double", "Expected net revenue over the value horizon."),
        _required("value_horizon_days", "integer", "The value horizon."),
        _required("value_at_risk", "double", "churn_probability × (expected value if they order within the churn horizon − if not)."),
        Column("value_q50", "double", "Median of the net revenue over the value horizon; null where too little is known to state it."),
        Column(
            "value_q80", "double", "Amount that the net revenue over the value horizon exceeds with a chance of 20 %; null as value_q50."
        ),
        Column("value_q90", "double", "Amount that it exceeds with a chance of 10 %; null as value_q50."),
        Column("expected_orders_count", "double", "Expected number of orders within the value horizon."),
        Column(
            "next_order_date",
            "date",
            "Day by which half of such customers who order within the value horizon have; null where no order within it is likelier.",
        ),
        Column("next_order_from_date", "date", "First day of the 80 % interval of that order; null as next_order_date."),
        Column("next_order_until_date", "date", "Last day of the 80 % interval of that order; null as next_order_date."),
        Column("favourite_category", "text", "Of the categories bought, the likeliest in the next order; null where the source has none."),
        Column("category_affinity", "double", "Probability that the next order contains it, 0 to 1; null as favourite_category."),
        _required("currency", "text", "Currency of the amounts."),
        _required("model_version", "text", "Model that scored."),
        _required("scored_by", "text", "Rung that scored: rules, formula, buy_till_you_die or blend."),
    ),
    ("customer_id", "as_of_date"),
    "scoring",
    slice_by="as_of_date",
)

SEGMENT_MATCHES = Table(
    "segments",
    "segment_matches",
    "One row per customer per as_of_date per segment whose rule fits.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "When it fits."),
        _required("segment", "text", "Name of the segment."),
    ),
    ("customer_id", "as_of_date", "segment"),
    "scoring",
    slice_by="as_of_date",
)

SEGMENT_MEMBERSHIPS = Table(
    "segments",
    "segment_memberships",
    "One row per customer per as_of_date per segment on whose list the customer stands.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "The night."),
        _required("segment", "text", "Name of the segment."),
        _required("entered_on", "date", "as_of of the night in which this membership began."),
        Column("expires_on", "date", "Last as_of for which a transient membership is held; null for a lasting one."),
        _required("contact_permission", "text", "granted, denied or unknown on the segment's channel."),
    ),
    ("customer_id", "as_of_date", "segment"),
    "scoring",
    slice_by="as_of_date",
)

CUSTOMER_REASONS = Table(
    "scores",
    "customer_reasons",
    "One row per customer per as_of_date on which some list shows the customer.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "The night."),
        _required("is_at_risk", "boolean", "churn_probability is at least a half: reasons tell why; else what speaks for the customer."),
        Column("reason_1", "text", "The weightiest reason in words, with the customer's figures; null where none can be told."),
        Column("reason_2", "text", "The next one; null as reason_1."),
        Column("reason_3", "text", "The third; null as reason_1."),
        Column("concept_1", "text", "What reason_1 speaks of, such as silence."),
        Column("concept_2", "text", "What reason_2 speaks of."),
        Column("concept_3", "text", "What reason_3 speaks of."),
        Column(
            "likely_reason_for_leaving",
            "text",
            "A hypothesis: dissatisfied, gone_to_competitor, no_longer_needs_it, feels_uncared_for or not_known; null when not at risk.",
        ),
        Column("leaving_evidence", "text", "What it rests on, in words; null when not at risk."),
    ),
    ("customer_id", "as_of_date"),
    "scoring",
    slice_by="as_of_date",
)

NEXT_PRODUCTS = Table(
    "scores",
    "next_products",
    "One row per customer on any list per as_of_date, where the source has order lines.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "The night."),
        _required("next_product_ids", "text", "Up to 5 products most probably bought next, the likeliest first: a JSON list of ids."),
        _required("next_product_id", "text", "The first of them."),
        _required("next_product", "text", "Its name; its id where the source has no names."),
        Column("new_product_id", "text", "The likeliest product that the customer has not bought before; null where there is none."),
        Column("new_product", "text", "Its name; its id where the source has no names."),
        _required("ranked_by", "text", "What ranked: blend, or own_products or popularity where that proved no worse."),
    ),
    ("customer_id", "as_of_date"),
    "scoring",
    slice_by="as_of_date",
)

PLAYS = Table(
    "segments",
    "plays",
    "One row per customer per as_of_date per channel on which the customer is to be contacted.",
    (
        _required("customer_id", "text", "The person."),
        _required("as_of_date", "date", "The night."),
        _required("channel", "text", "Channel of the contact."),
        _required("segment", "text", "Segment whose offer is made."),
        _required("offer", "text", "The segment's offer."),
        _required("valid_until", "date", "Last day of the offer."),
    ),
    ("customer_id", "as_of_date", "channel"),
    "scoring",
    slice_by="as_of_date",
)

SYNCS = Table(
    "activation",
    "syncs",
    "One row per as_of_date, destination and segment: what the sync changed.",
    (
        _required("as_of_date", "date", "The night."),
        _required("destination", "text", "Name of the destination in config/destinations.yml."),
        _required("segment", "text", "Name of the segment."),
        _required("plan_sha256", "text", "Hash of the plan."),
        _required("customers_count", "integer", "Customers on the list after the sync."),
        _required("entered_count", "integer", "Customers put on the list."),
        _required("left_count", "integer", "Customers taken off the list."),
        _required("held_back_count", "integer", "Members left off: no permission, or unknown to the tool."),
        _required("rejected_count", "integer", "Contacts that the tool refused."),
    ),
    ("as_of_date", "destination", "segment"),
    "activation",
    slice_by="as_of_date",
)

GATES = ("raw", "features", "scores")
"""The boundaries that a night is held up at, in their order."""

GATE_RESULTS = Table(
    "quality",
    "gate_results",
    "One row per as_of_date, gate and expectation.",
    (
        _required("as_of_date", "date", "The night."),
        _required("gate", "text", "Boundary that the gate stands at: raw, features or scores."),
        _required("expectation", "text", "What was expected."),
        _required("column_name", "text", "Column that it was expected of; empty for the whole table."),
        _required("is_met", "boolean", "Whether it held, or a person has accepted that it did not."),
        _required("observed", "text", "What was seen."),
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
        _required("as_of_date", "date", "The night."),
        _required("gate", "text", "Boundary that the gate stands at: raw, features or scores."),
        _required("table_name", "text", "Table that is described."),
        _required("column_name", "text", "Its column, or * for all rows."),
        _required(
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
        _required("as_of_date", "date", "The night, or the cutoff that the serving model was evaluated on."),
        _required("table_name", "text", "Table that is described."),
        _required("column_name", "text", "Its column."),
        Column("bin", "integer", "Bin with the same bounds on every date; null counts the rows without a value."),
        _required("rows_count", "integer", "Rows whose value falls into it."),
    ),
    ("as_of_date", "table_name", "column_name", "bin"),
    "quality",
    slice_by="as_of_date",
)

MODEL_EVALUATIONS = Table(
    "models",
    "model_evaluations",
    "One row per model version, cutoff, predictor and metric on customers that the training did not see.",
    (
        _required("model_version", "text", "Version that was trained."),
        _required("as_of_date", "date", "Cutoff whose outcomes were held out."),
        _required("predictor", "text", "Rung of the ladder, rfm_cells, or serving for the model that served until then."),
        _required("metric", "text", "Metric, such as log_loss."),
        _required("value", "double", "Its value."),
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
        _required("model_version", "text", "Version that was trained."),
        _required("bin", "integer", "Tenth of the predictions, 1 the lowest."),
        _required("customers_count", "integer", "Customers in it."),
        _required("predicted", "double", "Their mean churn_probability."),
        _required("actual", "double", "Share of them that churned."),
    ),
    ("model_version", "bin"),
    "models",
    slice_by="model_version",
)

HINDCASTS = Table(
    "models",
    "hindcasts",
    "One row per model version, cutoff, predictor, grouping and part: what would have been said of customers whom the training of the "
    "trees had left out, and what came of it.",
    (
        _required("model_version", "text", "Version that was trained."),
        _required("as_of_date", "date", "Past cutoff."),
        _required("churn_days", "integer", "Days after the cutoff over which churn is meant."),
        Column("value_days", "integer", "Days after the cutoff over which value is meant; null where they have not passed."),
        _required(
            "is_churn_level_foretold", "boolean", "Whether the model's level of churn is the one foretold then; else the one that came out."
        ),
        _required("is_value_level_foretold", "boolean", "The same of the level of value."),
        _required("predictor", "text", "blend, or the baseline's name."),
        _required("grouping", "text", "all, life stage, value third, churn tenth or value tenth; tenths are the predictor's own."),
        _required("part", "text", "all; new, once, repeat, loyal; lowest, middle, highest; or the tenth, 1 the lowest."),
        _required("part_number", "integer", "Place of the part among those of its grouping, from 1."),
        _required("customers_count", "integer", "Customers in it."),
        _required("churn_predicted", "double", "Their mean churn probability."),
        _required("churned_share", "double", "Share of them that churned."),
        _required("churn_log_loss", "double", "Mean log loss of their churn probability."),
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


def all_tables() -> Iterator[Table]:
    """Every declared table, in the order of declaration."""
    for value in globals().values():
        if isinstance(value, Table):
            yield value
