"""Accidents that have happened to real shops, done to good tables one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from quality.feature_profile import SPREAD
from regulars.tables import Column
from tests.quality.gate_shop import TONIGHT, Mutant

ORDERS, LINES = "staging.stg_orders", "staging.stg_order_lines"
REFUNDS, PRODUCTS, CONSENTS = "staging.stg_refunds", "staging.stg_products", "staging.stg_consents"
ACCOUNTS = "private.stg_accounts"
FEATURES, SCORES = "features.customer_features", "scores.customer_scores"
NEW = f"known_at > timestamp '{TONIGHT - timedelta(days=1)}' - interval '2 hours'"
SLICE = f"as_of_date = date '{TONIGHT}'"
HALF = "hash(rowid) % 2 = 0"


def _set(table: str, column: str, value: str, where: str = "true") -> list[str]:
    return [f"update {table} set {column} = {value} where {where}"]


def _shuffle(table: str, columns: str, where: str = "true") -> list[str]:
    """The columns' values dealt out anew among the rows."""
    names = [name.strip() for name in columns.split(",")]
    sets = ", ".join(f"{name} = dealt.{name}" for name in names)
    return [
        f"""
        update {table} set {sets} from (
            select one.row, {", ".join(f"other.{name}" for name in names)}
            from (select rowid as row, row_number() over (order by hash(rowid)) as n from {table} where {where}) as one
            inner join (select {columns}, row_number() over (order by rowid) as n from {table} where {where}) as other on one.n = other.n
        ) as dealt
        where {table}.rowid = dealt.row
        """
    ]


def mutants() -> Iterator[Mutant]:
    """Every one must be stopped by its gate."""
    for table in (ORDERS, LINES, REFUNDS, PRODUCTS, CONSENTS, ACCOUNTS):
        yield from _raw(f"{table} emptied", f"delete from {table}")
        yield from _raw(f"{table} halved", f"delete from {table} where {HALF}")
        yield from _raw(f"{table} a twentieth lost", f"delete from {table} where hash(rowid) % 20 = 0")
        if table in (ORDERS, LINES):
            yield from _raw(f"{table} every row twice", f"insert into {table} select * from {table}")
            yield from _raw(
                f"{table} joined with a tenth of itself", f"insert into {table} select * from {table} where hash(rowid) % 10 = 0"
            )
    yield from _orders()
    yield from _lines()
    yield from _others()
    for gate, table in (("features", FEATURES), ("scores", SCORES)):
        yield Mutant(gate, f"{table} emptied", [f"delete from {table} where {SLICE}"])
        yield Mutant(gate, f"{table} halved", [f"delete from {table} where {SLICE} and {HALF}"])
        yield Mutant(gate, f"{table} a twentieth lost", [f"delete from {table} where {SLICE} and hash(rowid) % 20 = 0"])
        yield Mutant(gate, f"{table} every row twice", [f"insert into {table} select * from {table} where {SLICE}"])
        yield Mutant(gate, f"{table} one row twice", [f"insert into {table} select * from {table} where {SLICE} limit 1"])
        yield Mutant(gate, f"{table} all of one customer", _set(table, "customer_id", "'one'", SLICE))
    yield from _features()
    yield from _scores()


def _raw(name: str, *statements: str) -> Iterator[Mutant]:
    yield Mutant("raw", name, statements)


def _orders() -> Iterator[Mutant]:
    yesterday, today = TONIGHT - timedelta(days=1), TONIGHT
    yield from _raw("yesterday's orders lost", f"delete from {ORDERS} where ordered_date = date '{yesterday}'")
    yield from _raw(
        "most of yesterday's orders lost", f"delete from {ORDERS} where ordered_date = date '{yesterday}' and hash(rowid) % 6 > 0"
    )
    yield from _raw("a week of orders lost", f"delete from {ORDERS} where ordered_date >= date '{today - timedelta(days=7)}'")
    yield from _raw("three weeks of orders lost", f"delete from {ORDERS} where ordered_date >= date '{today - timedelta(days=21)}'")
    yield from _raw("the orders of one year lost", f"delete from {ORDERS} where ordered_date < date '{today - timedelta(days=365)}'")
    for column in ("order_id", "account_id", "ordered_at", "net_revenue", "currency"):
        yield from _raw(f"orders.{column} emptied", *_set(ORDERS, column, "null"))
        yield from _raw(f"orders.{column} emptied in half", *_set(ORDERS, column, "null", HALF))
        yield from _raw(f"orders.{column} emptied in new rows", *_set(ORDERS, column, "null", NEW))
        if column != "currency":
            yield from _raw(f"orders.{column} the same for all", *_set(ORDERS, column, f"(select max({column}) from {ORDERS})"))
    for column in ("order_id", "account_id"):
        yield from _raw(f"orders.{column} cut to three letters", *_set(ORDERS, column, f"left({column}, 3)"))
        yield from _raw(f"orders.{column} dealt out anew", *_shuffle(ORDERS, column))
        yield from _raw(f"orders.{column} with a prefix", *_set(ORDERS, column, f"concat('shop-', {column})"))
    yield from _raw("orders.account_id and order_id swapped", f"update {ORDERS} set account_id = order_id, order_id = account_id")
    yield from _raw("new orders of one account", *_set(ORDERS, "account_id", f"(select max(account_id) from {ORDERS})", NEW))
    for name, value in {
        "in pence": "net_revenue * 100",
        "in thousands": "net_revenue / 1000",
        "negative": "-abs(net_revenue)",
        "nothing": "0",
        "doubled": "net_revenue * 2",
    }.items():
        yield from _raw(f"orders.net_revenue {name}", *_set(ORDERS, "net_revenue", value))
    yield from _raw("orders.net_revenue in pence in new rows", *_set(ORDERS, "net_revenue", "net_revenue * 100", NEW))
    yield from _raw("orders.net_revenue negative in new rows", *_set(ORDERS, "net_revenue", "-abs(net_revenue)", NEW))
    yield from _raw("orders.net_revenue dealt out anew with its lines left", *_set(ORDERS, "net_revenue", "net_revenue * 1.3"))
    for days, name in ((3650, "ten years ahead"), (400, "a year ahead"), (1, "a day ahead"), (-40, "forty days back")):
        moved = f"ordered_at = ordered_at + interval '{days} day', ordered_date = ordered_date + {days}"
        yield from _raw(f"orders.ordered_at {name}", f"update {ORDERS} set {moved}")
    yield from _raw("orders.ordered_at dealt out anew", *_shuffle(ORDERS, "ordered_at, ordered_date"))
    yield from _raw("orders.currency longer than a code", *_set(ORDERS, "currency", "'Euro'"))
    for table in (ORDERS, LINES, REFUNDS):
        yield from _raw(f"{table} in another currency", *_set(table, "currency", "'USD'"))
    yield from _raw("one order in another currency", *_set(ORDERS, "currency", "'USD'", f"rowid = (select max(rowid) from {ORDERS})"))
    yield from _raw("orders.discount_amount in pence", *_set(ORDERS, "discount_amount", "discount_amount * 100"))
    yield from _raw("orders.discount_amount emptied", *_set(ORDERS, "discount_amount", "null"))


def _lines() -> Iterator[Mutant]:
    for column in ("order_id", "product_id", "quantity", "unit_price", "net_revenue", "category", "account_id", "currency"):
        yield from _raw(f"order_lines.{column} emptied", *_set(LINES, column, "null"))
        yield from _raw(f"order_lines.{column} emptied in half", *_set(LINES, column, "null", HALF))
    for column in ("quantity", "unit_price", "net_revenue"):
        yield from _raw(f"order_lines.{column} times a hundred", *_set(LINES, column, f"{column} * 100"))
        yield from _raw(f"order_lines.{column} negative", *_set(LINES, column, f"-abs({column})"))
    yield from _raw("order_lines.order_id dealt out anew", *_shuffle(LINES, "order_id"))
    yield from _raw("order_lines.account_id dealt out anew", *_shuffle(LINES, "account_id"))
    yield from _raw("order_lines.product_id and category swapped", f"update {LINES} set product_id = category, category = product_id")
    yield from _raw("order_lines.product_name cut", *_set(LINES, "product_name", "left(product_name, 3)"))
    yield from _raw("yesterday's lines lost", f"delete from {LINES} where {NEW}")


def _others() -> Iterator[Mutant]:
    for table, columns in {
        REFUNDS: ("order_id", "amount", "refunded_at", "currency", "quantity"),
        PRODUCTS: ("product_id", "category", "price", "cost_amount"),
        CONSENTS: ("account_id", "channel", "status", "changed_at"),
        ACCOUNTS: ("account_id", "email", "normalised_email", "country"),
    }.items():
        for column in columns:
            yield from _raw(f"{table}.{column} emptied", *_set(table, column, "null"))
            yield from _raw(f"{table}.{column} emptied in half", *_set(table, column, "null", HALF))
    yield from _raw("refunds in pence", *_set(REFUNDS, "amount", "amount * 100"))
    yield from _raw("refunds negative", *_set(REFUNDS, "amount", "-amount"))
    yield from _raw("refunds of other orders", *_shuffle(REFUNDS, "order_id"))
    yield from _raw("refunds ten years ahead", *_set(REFUNDS, "refunded_at", "refunded_at + interval '3650 day'"))
    yield from _raw("prices in pence", *_set(PRODUCTS, "price", "price * 100"))
    yield from _raw("everybody granted", *_set(CONSENTS, "status", "'granted'"))
    yield from _raw("everybody denied", *_set(CONSENTS, "status", "'denied'"))
    yield from _raw("a channel renamed", *_set(CONSENTS, "channel", "'e-mail'", "channel = 'email'"))
    yield from _raw("consents of one account", *_set(CONSENTS, "account_id", f"(select max(account_id) from {CONSENTS})"))
    yield from _raw("consents of unknown accounts", *_set(CONSENTS, "account_id", "concat('x', account_id)"))
    yield from _raw("every fifth consent lost", f"delete from {CONSENTS} where hash(rowid) % 5 = 0")
    yield from _raw("accounts with other numbers", *_set(ACCOUNTS, "account_id", "concat('x', account_id)"))
    yield from _raw("addresses cut", *_set(ACCOUNTS, "email", "left(email, 5)"))


def _features() -> Iterator[Mutant]:
    """Each column emptied, constant, dealt out anew and out of its measure, as far as anybody could notice."""
    for column in SPREAD:
        name = column.name
        yield _feature(f"{name} emptied", name, "null")
        yield _feature(f"{name} emptied in half", name, "null", HALF)
        if column.type in ("integer", "double"):
            yield _feature(f"{name} negative", name, f"-abs({name}) - 1")
            yield _feature(f"{name} times a hundred", name, f"{name} * 100 + 100")
            yield _feature(
                f"{name} beyond all measure in one row", name, "1e15", f"rowid = (select min(rowid) from {FEATURES} where {SLICE})"
            )
        if column.type == "double":
            yield _feature(f"{name} not a number in one row", name, "'NaN'", f"rowid = (select max(rowid) from {FEATURES} where {SLICE})")
        yield _feature(f"{name} the same for all", name, f"(select max({name}) from {FEATURES} where {SLICE})")
        if _is_tied(column):
            yield Mutant("features", f"{name} dealt out anew", _shuffle(FEATURES, name, SLICE))
    yield Mutant("features", "customer ids emptied", _set(FEATURES, "customer_id", "null", SLICE))
    ahead = ", ".join(f"{name} = {name} + 30" for name in ("days_since_last_order", "customer_age_days", "overdue_days"))
    yield Mutant("features", "no order for a month", [f"update {FEATURES} set {ahead} where {SLICE}"])
    money = [column.name for column in SPREAD if "value" in column.name or ("revenue" in column.name and "ratio" not in column.name)]
    pence = ", ".join(f"{name} = {name} * 100" for name in money)
    yield Mutant("features", "money in pence", [f"update {FEATURES} set {pence} where {SLICE}"])
    doubled = "orders_count = orders_count * 2, repeat_orders_count = orders_count * 2 - 1, historic_value = historic_value * 2"
    yield Mutant("features", "orders joined twice", [f"update {FEATURES} set {doubled} where {SLICE}"])
    yield Mutant(
        "features",
        "the features of a month ago",
        [
            f"delete from {FEATURES} where {SLICE}",
            (
                f"insert into {FEATURES} "
                f"select * replace (date '{TONIGHT}' as as_of_date, days_since_last_order + 30 as days_since_last_order) "
                f"from {FEATURES} where as_of_date = date '{TONIGHT - timedelta(days=1)}'"
            ),
        ],
    )


UNTIED = (
    "max_order_value", "order_value_stddev", "formula_value", "gap_days_stddev", "orders_per_year", "orders_same_season_last_year_count",
    "distinct_products_count", "discount_share", "refunded_share", "days_since_last_refund", "max_gap_days", "median_gap_days",
    "top_category_share",
    "has_refund_on_last_order",
)  # fmt: skip
"""A few customers' values in other rows break no promise that must hold of a single row."""


def _is_tied(column: Column) -> bool:
    return column.name not in UNTIED


def _feature(name: str, column: str, value: str, where: str = "true") -> Mutant:
    return Mutant("features", name, _set(FEATURES, column, value, f"{SLICE} and {where}"))


def _quantiles(q50: str, q80: str, q90: str, where: str) -> list[str]:
    return [f"update {SCORES} set value_q50 = {q50}, value_q80 = {q80}, value_q90 = {q90} where {where}"]


def _scores() -> Iterator[Mutant]:
    def mutant(name: str, column: str, value: str, where: str = "true") -> Mutant:
        return Mutant("scores", name, _set(SCORES, column, value, f"{SLICE} and {where}"))

    first = f"rowid = (select min(rowid) from {SCORES} where {SLICE})"
    for column in ("churn_probability", "expected_value", "value_at_risk"):
        yield mutant(f"{column} emptied", column, "null")
        yield mutant(f"{column} emptied in half", column, "null", HALF)
        yield mutant(f"{column} not a number", column, "'NaN'")
        yield mutant(f"{column} not a number in one row", column, "'NaN'", first)
        yield mutant(f"{column} infinite in one row", column, "'Infinity'", first)
        yield mutant(f"{column} the same for all", column, f"(select median({column}) from {SCORES} where {SLICE})")
        yield mutant(f"{column} halved", column, f"{column} / 2")
        yield mutant(f"{column} times a hundred", column, f"{column} * 100")
        yield mutant(f"{column} negative", column, f"-{column}")
        yield Mutant("scores", f"{column} dealt out anew", _shuffle(SCORES, column, SLICE))
    yield mutant("churn inverted", "churn_probability", "1 - churn_probability")
    yield mutant("churn in per cent", "churn_probability", "churn_probability * 100")
    yield mutant("churn shifted", "churn_probability", "least(1, churn_probability + 0.2)")
    yield mutant("churn squared", "churn_probability", "churn_probability * churn_probability")
    yield mutant("value inverted", "expected_value", "1000 / (1 + expected_value)")
    yield mutant("value shifted", "expected_value", "expected_value + 100")
    yield mutant("orders halved", "expected_orders_count", "expected_orders_count / 2")
    yield mutant("orders not a number in one row", "expected_orders_count", "'NaN'", first)
    yield mutant("orders unknown in half", "expected_orders_count", "null", HALF)
    yield mutant("a quantile stated without the others in one row", "value_q90", "1", first)
    yield Mutant("scores", "quantiles crossed in one row", _quantiles("3", "2", "4", first))
    yield Mutant("scores", "a quantile not a number in one row", _quantiles("1", "2", "'NaN'", first))
    yield Mutant("scores", "a negative quantile in one row", _quantiles("-1", "2", "3", first))
    told = f"rowid = (select min(rowid) from {SCORES} where {SLICE} and next_order_date is not null)"
    yield mutant("the next order before its interval in one row", "next_order_date", "next_order_from_date - 1", told)
    yield mutant("the next order in the past in one row", "next_order_from_date", "as_of_date - 1", told)
    yield mutant(
        "the next order beyond the horizon in one row", "next_order_until_date", "as_of_date + cast(value_horizon_days as integer)", told
    )
    yield mutant("the next order without its interval in one row", "next_order_until_date", "null", told)
    yield mutant("other horizon", "churn_horizon_days", "30")
    yield mutant("other value horizon", "value_horizon_days", "90")
    yield mutant("other currency", "currency", "'USD'")
    yield mutant("two models", "model_version", "'another'", HALF)
    yield mutant("two rungs", "scored_by", "'blend'", HALF)
    yield mutant("ids of nobody", "customer_id", "concat('x', customer_id)")
    yield Mutant("scores", "ids dealt out anew", _shuffle(SCORES, "customer_id", SLICE))
    yield Mutant(
        "scores",
        "all of it another customer's",
        _shuffle(SCORES, "churn_probability, expected_value, value_at_risk", SLICE),
    )
