"""How far a distribution has moved: the population stability index (PSI) between two histograms.

PSI = Σ (share now − share then) × ln(share now / share then) over groups that held about a tenth of the rows each then.
By convention 0.1 is a change to look at and 0.2 one to act on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log

from quality.limits import GateLimits
from quality.profile import Histogram, Profile
from quality.rule import Rule

MONTH_DAYS = 31
GROUP_SHARE = 0.1
CHANCE = 3.0
"""Two samples of one distribution differ by PSI (groups − 1) × (1/n + 1/m) in the mean; so much of it is allowed besides."""


def stability_index(now: Histogram, then: Histogram) -> tuple[float, float]:
    """PSI, and what of it chance may be; (0, 0) where either has no rows."""
    rows_now, rows_then = sum(now.values()), sum(then.values())
    if not rows_now or not rows_then:
        return 0.0, 0.0
    groups = _groups(now, then)
    index = 0.0
    for count_now, count_then in groups:
        # Half a row more in each: an empty group is rare, not impossible.
        share_now = (count_now + 0.5) / (rows_now + 0.5 * len(groups))
        share_then = (count_then + 0.5) / (rows_then + 0.5 * len(groups))
        index += (share_now - share_then) * log(share_now / share_then)
    return index, CHANCE * (len(groups) - 1) * (1 / rows_now + 1 / rows_then)


def _groups(now: Histogram, then: Histogram) -> list[tuple[int, int]]:
    """Neighbouring bins joined until they hold a tenth of the rows of then; rows without a value stand by themselves."""
    fewest = GROUP_SHARE * sum(then.values())
    groups = [(now.get(None, 0), then.get(None, 0))] if None in now or None in then else []
    count_now = count_then = 0
    for place in sorted({place for place in (*now, *then) if place is not None}):
        count_now, count_then = count_now + now.get(place, 0), count_then + then.get(place, 0)
        if count_then >= fewest:
            groups.append((count_now, count_then))
            count_now = count_then = 0
    if count_now or count_then:
        groups.append((count_now, count_then))
    return groups


def drift_rules(tonight: Profile, then: Profile, table: str, columns: Iterable[str], since: str, limits: GateLimits) -> Iterator[Rule]:
    """One rule a column; the index is put into tonight's profile. Each month between the dates allows as much again."""
    statistic = f"psi_since_{since}"
    months = max(0, (tonight.as_of - then.as_of).days) / MONTH_DAYS
    for column in columns:
        if (table, column) not in then.histograms:
            continue
        index, chance = stability_index(tonight.histogram(table, column), then.histogram(table, column))
        tonight.values[table, column, statistic] = index
        stop, warn = (limit * (1 + months) + chance for limit in (limits.drift_stop, limits.drift_warn))
        yield Rule(table, column, statistic, 0, stop, f"customers are spread as on {then.as_of}", is_acceptable=True, warn_above=warn)
