"""What scoring writes: scores, segments and their members, reasons, next products."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

CUSTOMER_SCORES = Table(
    "scores",
    "customer_scores",
    "One row per customer per as_of_date.",
    (
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "When it was predicted for."),
        required("churn_probability", "double", "Calibrated probability of no order within the churn horizon, 0 to 1."),
        required("churn_horizon_days", "integer", "The churn horizon."),
        required("expected_value", "double", "Expected net revenue over the value horizon."),
        required("value_horizon_days", "integer", "The value horizon."),
        required("value_at_risk", "double", "churn_probability × (expected value if they order within the churn horizon − if not)."),
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
        required("currency", "text", "Currency of the amounts."),
        required("model_version", "text", "Model that scored."),
        required("scored_by", "text", "Rung that scored: rules, formula, buy_till_you_die or blend."),
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
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "When it fits."),
        required("segment", "text", "Name of the segment."),
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
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "The night."),
        required("segment", "text", "Name of the segment."),
        required("entered_on", "date", "as_of of the night in which this membership began."),
        Column("expires_on", "date", "Last as_of for which a transient membership is held; null for a lasting one."),
        required("contact_permission", "text", "granted, denied or unknown on the segment's channel."),
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
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "The night."),
        required("is_at_risk", "boolean", "churn_probability is at least a half: reasons tell why; else what speaks for the customer."),
        *(Column(f"reason_{place}", "text", f"Reason in words, the {place}. by weight; null where there is none.") for place in (1, 2, 3)),
        *(Column(f"concept_{place}", "text", f"What reason_{place} speaks of, such as silence.") for place in (1, 2, 3)),
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
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "The night."),
        required("next_product_ids", "text", "Up to 5 products most probably bought next, the likeliest first: a JSON list of ids."),
        required("next_product_id", "text", "The first of them."),
        required("next_product", "text", "Its name; its id where the source has no names."),
        Column("new_product_id", "text", "The likeliest product that the customer has not bought before; null where there is none."),
        Column("new_product", "text", "Its name; its id where the source has no names."),
        required("ranked_by", "text", "What ranked: blend, or own_products or popularity where that proved no worse."),
    ),
    ("customer_id", "as_of_date"),
    "scoring",
    slice_by="as_of_date",
)
