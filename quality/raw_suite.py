"""What must hold of what has been landed before features are computed from it."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

from quality.limits import GateLimits
from quality.movement import FEW, lack_believed, rows_rule, share_believed, silence_allowed
from quality.profile import WHOLE_TABLE, Profile
from quality.raw_profile import FOREIGN, LANDED, Landed
from quality.rule import BEYOND_ANY_SHOP, Rule
from quality.volume import volume_rules
from regulars.tables import CONSENTS, ORDER_LINES, ORDERS, REFUNDS, Column

AHEAD_DAYS = 2.0
OLDEST_DAYS = 36_525.0
"""Nothing on file happened a century before 1970 or more."""
MEAN_STEP = 1.5
"""Means over a whole history move slowly; a factor of one and a half in a night is a broken unit."""
LENGTH_STEP = 1.25
NEW_STEP = log(4)
"""What is new may be four times as dear in the geometric mean; pence for pounds is a hundred times."""
FEWEST_NEW = 10.0
FEWEST_NEW_AMOUNTS = 20.0
INCREDIBLE = 1e-6
"""Chance below which nobody believes in chance: where most orders have no discount, on some day none has."""
NULLS_STEP = 0.02
VARIED = 5.0
TIES_STEP = 0.01
GRANTED_STEP = 0.02
CHANGED_SHARE = 0.1
TIES = (
    (ORDERS.name, "without_account_share", "orders have an account"),
    (ORDERS.name, "without_lines_share", "orders have lines"),
    (ORDERS.name, "lines_of_another_account_share", "an order's lines are its customer's"),
    (ORDERS.name, "lines_of_another_moment_share", "an order's lines are of its moment"),
    (ORDER_LINES.name, "without_order_share", "lines have an order"),
    (REFUNDS.name, "without_order_share", "refunds have an order"),
    (REFUNDS.name, "before_order_share", "refunds come after their order"),
)
RATIOS = (
    ("revenue_of_lines_ratio", "the lines add up to the orders"),
    ("price_of_lines_ratio", "quantities times prices are the lines' revenue"),
)
RATIO_STEP = 1.1
AGREED = (0.2, 5.0)


def raw_suite(tonight: Profile, before: Profile | None, limits: GateLimits) -> list[Rule]:
    """All rules for one night; those that compare are left out on a first one."""
    rules = [*_orders(tonight, limits), *volume_rules(tonight, limits), *_quarantine(tonight, limits)]
    for landed in LANDED:
        rules += _contract(tonight, landed)
        if before is not None and before.rows_count(landed.name):
            rules += _movement(tonight, before, landed, limits)
            rules += _new_rows(tonight, before, landed)
    return [*rules, *_ties(tonight, before), *(_consents(tonight, before, limits) if before is not None else ())]


def _orders(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    yield Rule(ORDERS.name, WHOLE_TABLE, "rows_count", 1, BEYOND_ANY_SHOP, "there are orders")
    yield Rule(ORDERS.name, WHOLE_TABLE, "placed_with_account_count", 1, BEYOND_ANY_SHOP, "somebody is known to have ordered")
    history = tonight.value(ORDERS.name, WHOLE_TABLE, "history_days") or 0.0
    allowed = silence_allowed(tonight.value(ORDERS.name, WHOLE_TABLE, "placed_with_account_count") or 0.0, history, limits)
    promise = "somebody has ordered lately, by the shop's own rate"
    yield Rule(ORDERS.name, WHOLE_TABLE, "days_since_last_order", 1, allowed, promise, is_acceptable=True)
    yield Rule(ORDERS.name, "net_revenue", "max", 0.01, BEYOND_ANY_SHOP, "somebody has paid something")


def _quarantine(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    for table, column, statistic in sorted(tonight.values):
        if statistic == "quarantined_share":
            read = tonight.value(table, WHOLE_TABLE, "rows_read") or 0.0
            most = share_believed(limits.quarantined_share, read, 0.0)
            yield Rule(table, column, statistic, 0, most, "most rows that are read can be used", is_acceptable=True)


def _contract(tonight: Profile, landed: Landed) -> Iterator[Rule]:
    """What holds of every version of every table, on a first night too."""
    if not tonight.rows_count(landed.name):
        return
    latest = (tonight.value(ORDERS.name, WHOLE_TABLE, "known_until_day") or 0.0) + AHEAD_DAYS
    recent = tonight.value(landed.name, WHOLE_TABLE, "recent_rows_count") or 0.0
    yield Rule(landed.name, WHOLE_TABLE, "distinct_count", recent, recent, "a record has one version at a time")
    for column in landed.columns:
        if not column.nullable:
            yield Rule(landed.name, column.name, "null_share", 0, 0, "a required column holds no null")
        has_values = tonight.value(landed.name, column.name, "mean") is not None
        if column.type == "timestamp" and has_values:
            yield Rule(landed.name, column.name, "max", -OLDEST_DAYS, latest, "nothing is known before it has happened")
            yield Rule(landed.name, column.name, "min", -OLDEST_DAYS, latest, "nothing happened before there were shops")
        if column.type in ("integer", "amount") and has_values:
            for statistic in ("min", "max"):
                yield Rule(landed.name, column.name, statistic, -BEYOND_ANY_SHOP, BEYOND_ANY_SHOP, "numbers are finite")
        if column.name == "currency" and landed.event_at is not None:
            yield Rule(landed.name, column.name, FOREIGN, 0, 0, "amounts are in the shop's currency")


def _movement(tonight: Profile, before: Profile, landed: Landed, limits: GateLimits) -> Iterator[Rule]:
    """What may have changed in a table since the last good night: it grows, and its columns keep what they held."""
    table, rows = landed.name, before.rows_count(landed.name)
    days = (tonight.as_of - before.as_of).days
    yield rows_rule(table, rows, days, limits, "rows do not vanish or multiply since the last good night")
    grown = max(0.0, tonight.rows_count(table) - rows)
    most = grown + max(FEW, CHANGED_SHARE * rows) * max(1, days)
    yield Rule(table, WHOLE_TABLE, "new_rows_count", 0, most, "few old records change", is_acceptable=True)
    if min(rows, tonight.rows_count(table)) < FEW:
        return
    for column in landed.columns:
        yield from _column_movement(before, table, column)


def _column_movement(before: Profile, table: str, column: Column) -> Iterator[Rule]:
    nulls = before.value(table, column.name, "null_share") or 0.0
    if column.nullable and nulls < 1:
        most = min(1.0, nulls + NULLS_STEP)
        yield Rule(table, column.name, "null_share", 0, most, "nulls do not spread since the last good night", is_acceptable=True)
    if (1 - nulls) * before.rows_count(table) < FEW:
        return
    level = before.value(table, column.name, "mean") or 0.0
    if column.type in ("text", "integer", "amount", "boolean"):
        step = LENGTH_STEP if column.type == "text" else MEAN_STEP
        slack = 0.01
        low, high = sorted((level / step, level * step))
        promise = f"{'lengths' if column.type == 'text' else 'means'} do not jump since the last good night"
        yield Rule(table, column.name, "mean", low - slack, high + slack, promise, is_acceptable=True)
    negative = before.value(table, column.name, "negative_share")
    if negative is not None:
        promise = "negative numbers do not spread since the last good night"
        yield Rule(table, column.name, "negative_share", 0, negative + NULLS_STEP, promise, is_acceptable=True)


def _new_rows(tonight: Profile, before: Profile, landed: Landed) -> Iterator[Rule]:
    """Rows learned since the last good night are of the kind that was known then."""
    table = landed.name
    new = tonight.value(table, WHOLE_TABLE, "new_rows_count") or 0.0
    if new < FEWEST_NEW or before.rows_count(table) < FEW:
        return
    for column in landed.columns:
        nulls = before.value(table, column.name, "null_share") or 0.0
        if column.nullable:
            most = lack_believed(nulls, new, TIES_STEP)
            yield Rule(table, column.name, "new_null_share", 0, most, "new rows hold what old ones held", is_acceptable=True)
        known = new * (1 - nulls)
        negative = before.value(table, column.name, "negative_share")
        if negative is not None and known >= FEWEST_NEW:
            most = share_believed(negative, known, TIES_STEP)
            yield Rule(table, column.name, "new_negative_share", 0, most, "new rows are as seldom negative", is_acceptable=True)
        usual = before.value(table, column.name, "log_mean")
        if usual is not None and known >= FEWEST_NEW_AMOUNTS and column.type != "boolean":
            promise = "new rows are about as large as old ones (logarithms)"
            yield Rule(table, column.name, "new_log_mean", usual - NEW_STEP, usual + NEW_STEP, promise, is_acceptable=True)
        length = before.value(table, column.name, "mean")
        if column.type == "text" and length is not None and known >= FEWEST_NEW_AMOUNTS:
            low, high = length / MEAN_STEP - 0.5, length * MEAN_STEP + 0.5
            yield Rule(table, column.name, "new_mean", low, high, "new texts are about as long as old ones", is_acceptable=True)
        varied = before.value(table, column.name, "new_distinct_count")
        all_zero = (before.value(table, column.name, "zero_share") or 0.0) ** known
        if varied is not None and varied >= VARIED and known >= FEWEST_NEW_AMOUNTS and all_zero < INCREDIBLE:
            promise = "what varied among the new rows of the last good night still does"
            yield Rule(table, column.name, "new_distinct_count", 2, BEYOND_ANY_SHOP, promise, is_acceptable=True)


def _ties(tonight: Profile, before: Profile | None) -> Iterator[Rule]:
    """How tables hold together: as they did on the last good night, or on a first one in the main."""
    recent = tonight.value(ORDERS.name, WHOLE_TABLE, "recent_count") or 0.0
    for table, statistic, promise in TIES:
        if tonight.value(table, WHOLE_TABLE, statistic) is None and (before is None or before.value(table, WHOLE_TABLE, statistic) is None):
            continue
        usual = (before.value(table, WHOLE_TABLE, statistic) or 0.0) if before is not None else None
        rows = recent if table != REFUNDS.name else max(1.0, tonight.rows_count(REFUNDS.name) * 0.1)
        most = 1.0 if usual is None else min(1.0, usual + TIES_STEP + 1 / max(rows, 1) * 2)
        yield Rule(table, WHOLE_TABLE, statistic, 0, most, promise, is_acceptable=True)
    for statistic, promise in RATIOS:
        ratio = before.value(ORDERS.name, WHOLE_TABLE, statistic) if before is not None else None
        if ratio is not None and ratio > 0 and recent >= FEW:
            yield Rule(ORDERS.name, WHOLE_TABLE, statistic, ratio / RATIO_STEP, ratio * RATIO_STEP, promise, is_acceptable=True)
        elif tonight.value(ORDERS.name, WHOLE_TABLE, statistic) is not None and recent >= FEW:
            yield Rule(ORDERS.name, WHOLE_TABLE, statistic, *AGREED, promise, is_acceptable=True)


def _consents(tonight: Profile, before: Profile, limits: GateLimits) -> Iterator[Rule]:
    """A lost consent mails nobody or, worse, somebody who said no."""
    whole = (CONSENTS.name, WHOLE_TABLE)
    if not before.rows_count(CONSENTS.name):
        return
    unknown = before.value(*whole, "unknown_share") or 0.0
    most = min(1.0, unknown + limits.consent_lost_share)
    yield Rule(*whole, "unknown_share", 0, most, "consents do not become unknown", is_acceptable=True)
    new = tonight.value(*whole, "new_accounts_count") or 0.0
    if new >= FEWEST_NEW:
        most = lack_believed(unknown, new, limits.consent_lost_share)
        yield Rule(*whole, "new_unknown_share", 0, most, "new accounts come with their consents", is_acceptable=True)
    for (table, column, statistic), value in sorted(before.values.items()):
        if table != CONSENTS.name or not column.startswith("channel "):
            continue
        if statistic == "rows_count" and value >= FEW:
            fewest = value * (1 - limits.consent_lost_share)
            yield Rule(table, column, statistic, fewest, BEYOND_ANY_SHOP, "a channel keeps its consents", is_acceptable=True)
        if statistic == "granted_share" and (before.value(table, column, "rows_count") or 0) >= FEW:
            low, high = max(0.0, value - GRANTED_STEP), min(1.0, value + GRANTED_STEP)
            yield Rule(table, column, statistic, low, high, "nobody grants or denies for many", is_acceptable=True)
