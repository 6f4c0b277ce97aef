"""Orders of a day against those of the same weekday: a shop that usually sells has sold, and a source was read whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import ceil, exp
from statistics import median

from quality.limits import GateLimits
from quality.profile import WHOLE_TABLE, Profile
from quality.rule import BEYOND_ANY_SHOP, Rule
from regulars.warehouse import Warehouse

ORDERS = "orders"
WEEKS = 4
FEWEST_WEEKS = 2
MOST_DAYS = 7
WEEK, USUAL_WEEK = "placed_in_7_days", "usual_in_7_days"
LEVEL = "level_of_6_days"
LOWEST_LEVEL = 0.5
"""A season halves the orders in a week at most; what falls deeper is an accident until a person says otherwise."""
BELIEVED = 1e-6
"""A count that chance alone would undercut less often than this, were the median the true mean, is not believed."""
LARGEST_MEAN = 700.0
"""Beyond it exp(-mean) is no number; a half of so many orders is never chance."""
SURGE = 10.0
FEWEST_TO_SURGE = 20.0


def measure_days(warehouse: Warehouse, profile: Profile, known_until: datetime, since: date | None) -> None:
    """Count the orders placed on each day since the last good night, a week at most, and the median of the same weekdays.

    A day of the past is counted as its own night knew it, where there was one: so a source that is always some hours
    late is held against itself, not against days that have been completed since.
    """
    newest = profile.as_of - timedelta(days=1)
    oldest = max(since or newest, profile.as_of - timedelta(days=MOST_DAYS))
    first = warehouse.rows("select min(ordered_date) from staging.stg_orders")[0][0]
    for age in range(1, (profile.as_of - oldest).days + 1):
        day = profile.as_of - timedelta(days=age)
        weeks = [day - timedelta(days=7 * week) for week in range(1, WEEKS + 1)]
        counts = dict.fromkeys((day, *weeks), 0) | dict(
            warehouse.rows(
                f"""
                select orders.ordered_date, count(*)
                from staging.stg_orders as orders
                left join control.nights as nights
                    on nights.as_of_date = orders.ordered_date + {age} and nights.as_of_date < cast(? as date)
                where orders.ordered_date in ({", ".join("?" * (WEEKS + 1))})
                    and orders.known_at <= coalesce(nights.known_until, ?)
                    and (orders.superseded_at is null or orders.superseded_at > coalesce(nights.known_until, ?))
                group by orders.ordered_date
                """,
                [profile.as_of, day, *weeks, known_until, known_until],
            )
        )
        usual = [counts[week] for week in weeks if first is not None and week >= first]
        profile.values[ORDERS, WHOLE_TABLE, f"placed_on_{day}"] = float(counts[day])
        if len(usual) >= FEWEST_WEEKS:
            profile.values[ORDERS, WHOLE_TABLE, f"usual_on_{day}"] = float(median(usual))
    _measure_week(warehouse, profile, known_until, first)


def _measure_week(warehouse: Warehouse, profile: Profile, known_until: datetime, first: date | None) -> None:
    """The orders of the last seven days and the median of the four times seven before: what a day of few orders cannot tell.

    And the level of the six days before the last, of the same weekdays' usual one: after Christmas every day is a quiet one.
    """
    weeks = [profile.as_of - timedelta(days=7 * week) for week in range(WEEKS + 2)]
    periods = [(start, end) for end, start in pairwise(weeks)]
    periods += [(start, end - timedelta(days=1)) for start, end in periods]
    sums = ["count(*) filter (where ordered_date >= cast(? as date) and ordered_date < cast(? as date))" for _ in periods]
    bounds = [day for period in periods for day in period]
    counts = warehouse.rows(
        f"""
        select {", ".join(sums)} from staging.stg_orders
        where ordered_date >= cast(? as date) and known_at <= ? and (superseded_at is null or superseded_at > ?)
        """,
        [*bounds, weeks[-1], known_until, known_until],
    )[0]
    profile.values[ORDERS, WHOLE_TABLE, WEEK] = float(counts[0])
    known = [week for week in range(1, WEEKS + 1) if first is not None and weeks[week + 1] >= first]
    if len(known) >= FEWEST_WEEKS:
        profile.values[ORDERS, WHOLE_TABLE, USUAL_WEEK] = float(median(counts[week] for week in known))
        usual = median(counts[len(weeks) - 1 + week] for week in known)
        profile.values[ORDERS, WHOLE_TABLE, LEVEL] = counts[len(weeks) - 1] / usual if usual else 1.0


def volume_rules(tonight: Profile, limits: GateLimits) -> Iterator[Rule]:
    """One rule for each day that has a usual count and is not declared quiet, and one for the week."""
    level = min(1.0, max(LOWEST_LEVEL, tonight.value(ORDERS, WHOLE_TABLE, LEVEL) or 0.0))
    for (table, column, statistic), usual in sorted(tonight.values.items()):
        if not statistic.startswith("usual_on_"):
            continue
        day = date.fromisoformat(statistic.removeprefix("usual_on_"))
        if day in limits.quiet_dates:
            continue
        most = max(FEWEST_TO_SURGE, usual * SURGE) if usual else BEYOND_ANY_SHOP
        promise = f"{day:%A}s had a median of {usual:,.0f} orders in the {WEEKS} weeks before"
        promise += f", and the days before were at {level:.0%} of theirs" if level < 1 else ""
        yield Rule(table, column, f"placed_on_{day}", fewest(usual * level, limits.volume_share), most, promise, is_acceptable=True)
    week = tonight.value(ORDERS, WHOLE_TABLE, USUAL_WEEK)
    is_quiet = any(0 < (tonight.as_of - day).days <= MOST_DAYS for day in limits.quiet_dates)
    if week is not None and not is_quiet:
        promise = f"the {WEEKS} weeks before had a median of {week:,.0f} orders"
        yield Rule(ORDERS, WHOLE_TABLE, WEEK, fewest(week, limits.volume_share), BEYOND_ANY_SHOP, promise, is_acceptable=True)


def fewest(usual: float, share: float) -> float:
    """The smallest count that is believed: a share of the usual one, less where so few orders may be chance."""
    if usual > LARGEST_MEAN:
        return ceil(usual * share)
    term = probability = exp(-usual)
    count = 0
    while probability < BELIEVED:
        count += 1
        term *= usual / count
        probability += term
    return min(count, ceil(usual * share))
