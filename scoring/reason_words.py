"""Reasons in plain words: one sentence a concept, with the customer's own figures of that very as_of.

A sentence is told only where it says what it seems to say: a customer with many orders is at risk for another reason than
for ordering seldom, whatever a model makes of it. Few and many are so against the typical customer of the other kind.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.concepts import CONCEPTS
from regulars.warehouse.duckdb import connect

TYPICAL = "typical_"
"""Stands before the columns of the typical customer that a row is held against."""

MACROS = """
create temporary macro number(n) as format('{:,}', cast(n as bigint));
create temporary macro counted(n, one, many) as concat(number(n), ' ', case when cast(n as bigint) = 1 then one else many end);
create temporary macro days(n) as counted(n, 'day', 'days');
create temporary macro orders(n) as counted(n, 'order', 'orders');
create temporary macro percent(share) as concat(number(round(100 * share)), ' %');
create temporary macro amount(x, currency) as
    concat(currency, ' ', case when abs(x) < 100 then format('{:,.2f}', cast(x as double)) else format('{:,.0f}', cast(x as double)) end);
"""

EITHER: dict[str, str] = {
    "category": """case
        when orders_count > 1 and top_category is not null and top_category_share >= 0.5
            then concat(percent(top_category_share), ' of the money went into “', top_category, '”')
        when last_category is not null then concat('the last order was mostly “', last_category, '”')
    end""",
    "discounts": """case
        when discounted_orders_count = 0 and typical_discounted_orders_share > 0 then 'has never ordered at a discount'
        when discounted_orders_share <= typical_discounted_orders_share then null
        when orders_count = 1 then 'the only order was at a discount'
        else concat(number(discounted_orders_count), ' of ', orders(orders_count), ' at a discount')
    end""",
    "weekday": """case
        when orders_count > 1 then concat(number(weekend_orders_count), ' of ', orders(orders_count), ' on a weekend')
        when weekend_orders_count = 1 then 'the only order was on a weekend'
        else 'the only order was not on a weekend'
    end""",
}
"""What may speak for either: what customers of a kind do is for the model to know."""

FOR_RISK: dict[str, str] = EITHER | {
    "silence": """case
        when days_since_last_order <= typical_days_since_last_order then null
        when repeat_order_days_count >= 2 and days_since_last_order > median_gap_days
            then concat('usually orders every ', days(round(median_gap_days)), ', now ', days(days_since_last_order), ' silent')
        when repeat_order_days_count = 1 and days_since_last_order > last_gap_days
            then concat('came back once, after ', days(last_gap_days), ', now ', days(days_since_last_order), ' silent')
        when orders_count = 1 then concat('nothing since the only order ', days(days_since_last_order), ' ago')
        else concat('last ordered ', days(days_since_last_order), ' ago')
    end""",
    "frequency": """case
        when orders_count = 1 and typical_orders_count > 1 then 'has ordered only once'
        when orders_count < typical_orders_count then concat('only ', orders(orders_count), ' in ', days(customer_age_days))
        when orders_365d_count between 1 and typical_orders_365d_count - 1 and orders_365d_count < orders_count
            then concat('of ', orders(orders_count), ', only ', number(orders_365d_count), ' in the last 365 days')
    end""",
    "trend": """case
        when orders_90d_count = 0 and orders_180d_count > 0
            then concat('no order in the last 90 days, ', number(orders_180d_count), ' in the 90 days before')
        when net_revenue_90d > 0 and net_revenue_90d <= 0.9 * before_90d
            then concat('spent ', percent(1 - net_revenue_90d / before_90d), ' less in the last 90 days than in the 90 days before')
    end""",
    "spend": """case
        when not are_amounts then null
        when orders_count > 1 and last_order_value < 0.75 * average_order_value
            then concat('the last order brought ', amount(last_order_value, currency), ', on average it was ',
                amount(average_order_value, currency))
        when historic_value < typical_historic_value then concat('has spent only ', amount(historic_value, currency), ' in all')
        when average_order_value < typical_average_order_value
            then concat('spends only ', amount(average_order_value, currency), ' an order')
    end""",
    "basket": """case
        when distinct_products_count between 1 and typical_distinct_products_count - 1
            then concat('has bought only ', counted(distinct_products_count, 'product', 'different products'))
        when distinct_categories_count between 1 and typical_distinct_categories_count - 1
            then concat('has bought from only ', counted(distinct_categories_count, 'category', 'categories'))
    end""",
    "returns": """case
        when has_refund_on_last_order then 'something of the last order came back'
        when refunds_count > 0
            then concat(counted(refunds_count, 'refund', 'refunds'), ' so far, the last ', days(days_since_last_refund), ' ago')
    end""",
    "season": """case
        when orders_same_season_last_year_count = 0 and customer_age_days >= 365
            then concat('did not order in these ', days(churn_horizon_days), ' of last year')
    end""",
}

FOR_CUSTOMER: dict[str, str] = EITHER | {
    "silence": """case
        when days_since_last_order >= typical_days_since_last_order then null
        when repeat_order_days_count >= 2 and days_since_last_order <= median_gap_days
            then concat('ordered ', days(days_since_last_order), ' ago, and usually does every ', days(round(median_gap_days)))
        when days_since_last_order <= churn_horizon_days then concat('ordered ', days(days_since_last_order), ' ago')
    end""",
    "frequency": """case
        when orders_count <= greatest(typical_orders_count, 1) or orders_365d_count = 0 then null
        when orders_365d_count = orders_count then concat(orders(orders_count), ', all in the last 365 days')
        else concat(orders(orders_count), ', ', number(orders_365d_count), ' of them in the last 365 days')
    end""",
    "trend": """case
        when orders_180d_count > orders_90d_count and orders_90d_count > orders_180d_count - orders_90d_count
            then concat(orders(orders_90d_count), ' in the last 90 days, ', number(orders_180d_count - orders_90d_count),
                ' in the 90 days before')
        when before_90d > 0 and net_revenue_90d >= 1.1 * before_90d
            then concat('spent ', percent(net_revenue_90d / before_90d - 1), ' more in the last 90 days than in the 90 days before')
    end""",
    "spend": """case
        when not are_amounts then null
        when historic_value > typical_historic_value then concat('has spent ', amount(historic_value, currency), ' in all')
        when average_order_value > typical_average_order_value then concat('spends ', amount(average_order_value, currency), ' an order')
    end""",
    "basket": """case
        when distinct_products_count > greatest(typical_distinct_products_count, 1)
            then concat('has bought ', number(distinct_products_count), ' different products')
        when distinct_categories_count > greatest(typical_distinct_categories_count, 1)
            then concat('has bought from ', number(distinct_categories_count), ' categories')
    end""",
    "returns": "case when refunds_count = 0 then 'has never been refunded' end",
    "season": """case
        when orders_same_season_last_year_count > 0
            then concat(orders(orders_same_season_last_year_count), ' in these ', days(churn_horizon_days), ' of last year')
    end""",
}
"""Concept → the SQL of what speaks for the risk, and of what speaks for the customer; null where there is nothing to tell."""


def sentences(rows: pa.Table, wanted: NDArray[np.bool_]) -> pa.Table:
    """One column a concept, in the order of `CONCEPTS`, null where there is nothing to tell.

    Args:
        wanted: shape (concepts, n): where a sentence is worth its making.
        rows: columns of `customer_features`, those of the typical customer that each is held against with `TYPICAL` before their
            names, and row_number, is_at_risk, currency and churn_horizon_days.
    """
    chosen = ", ".join(
        f"case when not wants_{one} then null when is_at_risk then {FOR_RISK[one]} else {FOR_CUSTOMER[one]} end as {one}"
        for one in CONCEPTS
    )
    for concept, is_wanted in zip(CONCEPTS, wanted, strict=True):
        rows = rows.append_column(f"wants_{concept}", pa.array(is_wanted))
    with connect() as database:
        database.execute(MACROS)
        database.register("told_rows", rows)
        told: pa.Table = database.sql(
            f"""
            select {chosen}
            from (
                select *,
                    net_revenue_180d - net_revenue_90d as before_90d,
                    round(discounted_orders_share * orders_count) as discounted_orders_count,
                    round(weekend_orders_share * orders_count) as weekend_orders_count,
                    isfinite(historic_value) and isfinite(average_order_value) and isfinite(last_order_value) as are_amounts
                from told_rows
            ) as told
            order by row_number
            """
        ).to_arrow_table()
    return told
