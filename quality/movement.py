"""How far counts may move between two nights: the bounds that the gates share."""

from __future__ import annotations

from math import ceil, floor, sqrt

from quality.drift import MONTH_DAYS
from quality.limits import GateLimits
from quality.profile import WHOLE_TABLE
from quality.rule import Rule

FEW = 50.0
"""Below so many rows shares and means jump by themselves."""
SILENCE_FACTOR = 14.0
"""If orders came independently at the shop's own rate, a silence of 14 mean gaps would have a probability of one in a million."""
DEVIATIONS = 5.0
LOST_SHARE = 0.25
"""Of what is known of old rows, new ones may lack so much more, where some always lack it: in a large shop they differ by more than
chance, after a sale or because whoever is new has not said everything yet. What loses data loses half of a column or all of it."""


def growth(days: int, limits: GateLimits) -> float:
    """The factor by which a table may have grown in so many days; each month that has begun allows it once more."""
    return float((1 + limits.customers_grow_share) ** max(1, ceil(days / MONTH_DAYS)))


def rows_rule(table: str, before: float, days: int, limits: GateLimits, promise: str) -> Rule:
    """Tables grow, and lose a customer or two; they do not shrink or double overnight."""
    fewest = before - max(1.0, before * limits.customers_shrink_share)
    most = max(floor(before * growth(days, limits)), before + FEW)
    return Rule(table, WHOLE_TABLE, "rows_count", max(0, ceil(fewest)), most, promise, is_acceptable=True)


def share_believed(usual: float, rows: float, slack: float) -> float:
    """The largest share that so few rows may show where `usual` is true: five standard deviations and some slack above it."""
    spread = sqrt(max(usual * (1 - usual), 1 / max(rows, 1)) / max(rows, 1))
    return min(1.0, usual + slack + DEVIATIONS * spread)


def lack_believed(usual: float, rows: float, slack: float) -> float:
    """The largest share that so few new rows may lack where old ones lack `usual`."""
    return max(share_believed(usual, rows, slack), usual + min(usual, LOST_SHARE * (1 - usual)))


def silence_allowed(orders: float, history_days: float, limits: GateLimits) -> float:
    """Days without an order that are believed, by the shop's own rate."""
    return max(float(limits.still_days), SILENCE_FACTOR * history_days / max(orders, 1.0))
