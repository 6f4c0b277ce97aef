"""The charts of the hindcasts: level by date, value by tenth, gains, error by part, and how the quantiles came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reporting.charts.calibration import CalibrationBin, calibration_curve
from reporting.charts.gain import Gain, gain_curve
from reporting.charts.pairs import Pair, said_and_happened
from reporting.charts.timeline import Point, Series, timeline
from reporting.figure import HALF, Absent, DataTable, Figure, figure
from reporting.hindcasts import SHARES, Hindcasts, Part, part_title, predictor_title
from reporting.night import Night
from reporting.numbers import count, percent, plural, short_date

COLOURS = {"blend": "accent", "buy_till_you_die": "good", "formula": "soft", "rfm_cells": "warm"}


def hindcast_figures(found: Hindcasts, night: Night) -> list[Figure | Absent]:
    """Level by date, value by tenth, both gains, error by life stage and by value, and the quantiles."""
    figures: list[Figure | Absent] = [churn_by_life_stage(found), foretold_levels(found), gain_of(found, "churn")]
    if not found.pooled(found.model, "all", with_value=True):
        why = f"No past date lies {found.value_days} days back yet: of value nothing can be judged."
        return [*figures, Absent("What customers bring", why)]
    return [*figures, gain_of(found, "value"), value_by_tenth(found, night), value_by_life_stage(found, night), quantiles(found)]


def calibration_of(found: Hindcasts) -> Figure:
    """Predicted against actual churn over all cutoffs, by tenths."""
    parts = found.pooled(found.model, "churn tenth")
    customers = sum(part.customers_count for part in parts)
    miss = sum(abs(part.churn_predicted - part.churned_share) * part.customers_count for part in parts) / customers
    bins = [CalibrationBin(part.customers_count, part.churn_predicted, part.churned_share) for part in parts]
    return figure(
        "calibration",
        f"The probabilities are off by {percent(miss, 1)} on average",
        f"{_sample(found, customers)}, in tenths by churn probability. On the dashed line exactly as many left as predicted.",
        lambda width: calibration_curve(width, bins),
        DataTable(
            ("Tenth", "Customers", "Predicted", "Left"),
            [(p.name, count(p.customers_count), percent(p.churn_predicted, 1), percent(p.churned_share, 1)) for p in parts],
        ),
        HALF,
    )


def foretold_levels(found: Hindcasts) -> Figure:
    """The share expected to leave beside the share that left, date by date."""
    parts = [part for part in found.parts[found.model, "all"] if part.cutoff in found.foretold]
    is_foretold = bool(parts)
    parts = parts or found.parts[found.model, "all"]
    misses = [abs(part.churn_predicted - part.churned_share) for part in parts]
    note = (
        f"At {plural(len(parts), 'past date', 'past dates')}: the share expected to stay away for {found.churn_days} days, "
        "and the share that did. "
        + (
            "The level was foretold from what was known at the date."
            if is_foretold
            else "None is old enough for its level to have been foretold: it is the one that came out, and agrees by itself."
        )
    )
    return figure(
        "levels",
        f"From date to date the share that leaves is missed by {percent(sum(misses) / len(misses), 1)}",
        note,
        lambda width: timeline(
            width,
            [
                Series("said", [Point(part.cutoff, part.churn_predicted) for part in parts], "soft"),
                Series("happened", [Point(part.cutoff, part.churned_share) for part in parts], "accent", is_line=False),
            ],
            "Share that left",
            percent,
            high=1.0,
        ),
        DataTable(
            ("From", "Customers", "Said", "Happened"),
            [
                (short_date(p.cutoff), count(p.customers_count), percent(p.churn_predicted, 1), percent(p.churned_share, 1))
                for p in found.parts[found.model, "all"]
            ],
        ),
    )


def value_by_tenth(found: Hindcasts, night: Night) -> Figure:
    """Decile table: mean predicted and mean actual revenue, and the share of it, the most valuable tenth first."""
    parts = list(reversed(found.pooled(found.model, "value tenth", with_value=True)))
    money, total = night.money, sum((part.value_actual or 0.0) * part.customers_count for part in parts)
    shares = [(part.value_actual or 0.0) * part.customers_count / total if total > 0 else 0.0 for part in parts]
    pairs = [
        Pair(
            _tenth(place, len(parts)),
            p.value_predicted or 0.0,
            p.value_actual or 0.0,
            *(money.full(v or 0.0) for v in (p.value_predicted, p.value_actual)),
        )
        for place, p in enumerate(parts, start=1)
    ]
    return figure(
        "value-tenths",
        f"The tenth ranked first brought {percent(shares[0])} of the revenue",
        f"{_sample(found, sum(p.customers_count for p in parts), parts)}, in tenths by expected value: "
        f"revenue of a customer in {found.value_days} days, said and happened.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Tenth", "Customers", "Said", "Happened", "Share of the revenue"),
            [
                (pair.label, count(part.customers_count), pair.said_text, pair.happened_text, percent(share, 1))
                for pair, part, share in zip(pairs, parts, shares, strict=True)
            ],
        ),
    )


def gain_of(found: Hindcasts, what: str) -> Figure:
    """How much of the leavers, or of the revenue, the customers ranked first account for, ours beside the simpler rules'."""
    is_value = what == "value"
    gains = []
    for predictor in found.predictors():
        parts = list(reversed(found.pooled(predictor, f"{what} tenth", with_value=is_value)))
        if parts:
            amounts = [((p.value_actual or 0.0) if is_value else p.churned_share) * p.customers_count for p in parts]
            gains.append(Gain(predictor_title(predictor), _cumulative(amounts), COLOURS.get(predictor, "soft")))
    fifth = _at(gains[0].shares, 0.2)
    best_other = max((_at(gain.shares, 0.2) for gain in gains[1:]), default=0.0)
    verdict = "more than by any simpler rule" if fifth > best_other else "no more than by the best simpler rule"
    noun = "of the revenue comes from" if is_value else "of those who left stand in"
    title = f"{percent(fifth)} {noun} the fifth ranked first, {verdict}"
    note = (
        f"Customers are ranked by {'expected value' if is_value else 'churn probability'}, those of highest first: "
        f"the line shows which share of {'the later revenue' if is_value else 'all leavers'} one has reached. Higher is better."
    )
    steps = [f"{number * 10}{chr(0x202F)}%" for number in range(1, 11)]
    return figure(
        f"gain-{what}",
        title,
        note,
        lambda width: gain_curve(width, gains, "Share of the revenue" if is_value else "Share of those who left"),
        DataTable(
            ("Customers", *(gain.label for gain in gains)),
            [(step, *(percent(_at(gain.shares, number / 10), 1) for gain in gains)) for number, step in enumerate(steps, start=1)],
        ),
    )


def churn_by_life_stage(found: Hindcasts) -> Figure:
    """The share that left by life stage and by value third, said and happened, with everyone's log loss in the table."""
    return _by_part(
        found,
        "churn-stages",
        "Share that leaves",
        lambda part: (part.churn_predicted, part.churned_share),
        lambda share: percent(share, 1),
        with_value=False,
        note=f"Share of the customers who stayed away for {found.churn_days} days, said and happened, by what they were at the date.",
    )


def value_by_life_stage(found: Hindcasts, night: Night) -> Figure:
    """Revenue a customer by life stage and by value third, said and happened."""
    return _by_part(
        found,
        "value-stages",
        "Revenue",
        lambda part: (part.value_predicted or 0.0, part.value_actual or 0.0),
        night.money.full,
        with_value=True,
        note=f"Revenue of a customer in {found.value_days} days, said and happened, by what they were at the date.",
    )


def quantiles(found: Hindcasts) -> Figure | Absent:
    """How many came out above each stated quantile, beside the share that it promises."""
    whole = found.pooled(found.model, "all", with_value=True)[0]
    if whole.above[-1] is None:
        return Absent("Do the ranges hold?", "The model states no quantiles of the value: too few customers spent.")
    promised = [share for _, share in SHARES]
    pairs = [
        Pair(f"At most {percent(promise)} above", promise, above or 0.0, percent(promise), percent(above or 0.0, 1))
        for promise, above in zip(promised, whole.above, strict=True)
    ]
    parts = [whole, *found.pooled(found.model, "value third", with_value=True), *found.pooled(found.model, "life stage", with_value=True)]
    return figure(
        "quantiles",
        f"{percent(whole.above[-1] or 0.0, 1)} spent more than what at most one in ten should exceed",
        "Beside each expected value stand three amounts. At most every second, fifth and tenth customer should spend more "
        f"in {found.value_days} days; fewer do where most spend nothing.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Customers", "Number", *(f"above the {percent(1 - promise)} amount" for promise in promised)),
            [(part_title(part), count(part.customers_count), *(percent(share or 0.0, 1) for share in part.above)) for part in parts],
        ),
    )


def _by_part(
    found: Hindcasts,
    key: str,
    subject: str,
    figures_of: Callable[[Part], tuple[float, float]],
    text: Callable[[float], str],
    *,
    with_value: bool,
    note: str,
) -> Figure:
    groupings = ("life stage", "value third")
    parts = [part for grouping in groupings for part in found.pooled(found.model, grouping, with_value=with_value)]
    pairs = []
    for part in parts:
        said, happened = figures_of(part)
        pairs.append(Pair(part_title(part), said, happened, text(said), text(happened)))
    worst = max(pairs, key=lambda pair: abs(pair.said - pair.happened) / max(pair.happened, 1e-9))
    losses = {
        name: [part.churn_log_loss for grouping in groupings for part in found.pooled(name, grouping, with_value=with_value)]
        for name in found.predictors()
    }
    losses = {name: figures for name, figures in losses.items() if len(figures) == len(parts)}
    return figure(
        key,
        f"{subject}: “{worst.label}” missed most, {worst.said_text} said, {worst.happened_text} happened",
        note,
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Customers", "Number", "Said", "Happened", *(f"Log loss, {predictor_title(name)}" for name in losses)),
            [
                (
                    pair.label,
                    count(part.customers_count),
                    pair.said_text,
                    pair.happened_text,
                    *(f"{losses[name][place]:.3f}" for name in losses),
                )
                for place, (pair, part) in enumerate(zip(pairs, parts, strict=True))
            ],
        ),
    )


def _sample(found: Hindcasts, customers: int, parts: Sequence[Part] = ()) -> str:
    dates = len({part.cutoff for part in found.parts[found.model, "all"] if not parts or part.value_actual is not None})
    return f"{count(customers)} forecasts at {plural(dates, 'past date', 'past dates')}, of customers that the model had not seen"


def _tenth(place: int, tenths: int) -> str:
    return f"{place} (highest)" if place == 1 else f"{place} (lowest)" if place == tenths else str(place)


def _cumulative(amounts: Sequence[float]) -> list[float]:
    total, shares, reached = sum(amounts), [0.0], 0.0
    for amount in amounts:
        reached += amount
        shares.append(reached / total if total > 0 else 0.0)
    return shares


def _at(shares: Sequence[float], part: float) -> float:
    """The cumulative share at a part of the customers, between its steps."""
    place = part * (len(shares) - 1)
    below = min(int(place), len(shares) - 2)
    return shares[below] + (place - below) * (shares[below + 1] - shares[below])
