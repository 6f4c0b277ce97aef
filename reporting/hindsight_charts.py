"""The charts of a night in hindsight: kept promises by tenth and by list, with and without contact, and what customers brought."""

from __future__ import annotations

from collections.abc import Mapping

from regulars.hindsight import Outcome
from reporting.charts.calibration import CalibrationBin, calibration_curve
from reporting.charts.gain import Gain, gain_curve
from reporting.charts.pairs import Pair, said_and_happened
from reporting.figure import FULL, Absent, DataTable, Figure, figure
from reporting.hindsight import QUANTILES, Hindsight
from reporting.numbers import Money, count, percent, short_date


def orders_in_words(found: Hindsight) -> str:
    """The night's promise of orders and what became of it, in one sentence."""
    whole, night = found.whole, found.night
    low, high = whole.said - 1.96 * whole.deviation, whole.said + 1.96 * whole.deviation
    return (
        f"On {short_date(night.as_of)} we said that {count(whole.said)} of {count(whole.customers_count)} customers would order "
        f"within {night.days} days. {count(whole.happened)} did; chance alone would have made it {count(max(low, 0))} to {count(high)}."
    )


def value_in_words(found: Hindsight, money: Money) -> str:
    whole, night = found.whole, found.night
    ratio = f", {percent(whole.ratio)} of it" if whole.ratio is not None else ""
    return (
        f"On {short_date(night.as_of)} we expected {money.short(whole.said)} of {count(whole.customers_count)} customers "
        f"within {night.days} days. {money.short(whole.happened)} came in{ratio}."
    )


def order_figures(found: Hindsight, titles: Mapping[str, str]) -> list[Figure | Absent]:
    """Calibration, contact, and lists."""
    return [_calibration(found), _contact(found), _lists(found, titles)]


def value_figures(found: Hindsight, money: Money) -> list[Figure | Absent]:
    """Value by tenth, gain, contact, and quantiles."""
    return [_value_tenths(found, money), _gain(found), _value_contact(found, money), _quantiles(found)]


def _calibration(found: Hindsight) -> Figure:
    bins = [CalibrationBin(one.customers_count, 1 - _share(one.said, one), 1 - _share(one.happened, one)) for one in found.tenths]
    customers = sum(one.customers_count for one in bins)
    miss = sum(abs(one.predicted - one.actual) * one.customers_count for one in bins) / max(customers, 1)
    return figure(
        "then-calibration",
        f"The probabilities were off by {percent(miss, 1)} on average",
        f"{count(customers)} customers in tenths by the churn probability that was said. "
        "On the dashed line exactly as many left as was said.",
        lambda width: calibration_curve(width, bins),
        DataTable(
            ("Tenth", "Customers", "Said", "Left"),
            [(str(n), count(b.customers_count), percent(b.predicted, 1), percent(b.actual, 1)) for n, b in enumerate(bins, start=1)],
        ),
    )


def _contact(found: Hindsight) -> Figure:
    """The same promise for those who were written to, who may have ordered because of it, and for the rest."""
    groups = [("Written to", found.written_to), ("Left alone", found.left_alone)]
    pairs = [_share_pair(label, one) for label, one in groups if one.customers_count]
    alone = found.left_alone
    title = (
        f"Of those left alone {percent(_share(alone.happened, alone), 1)} ordered; {percent(_share(alone.said, alone), 1)} had been said"
    )
    return figure(
        "then-contact",
        title if alone.customers_count else "Everybody was written to",
        "Share that ordered, said and happened. Who was written to meanwhile may have ordered because of it: judge the predictions "
        "by those left alone.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Customers", "Number", "Said to order", "Ordered"),
            [(label, count(one.customers_count), count(one.said), count(one.happened)) for label, one in groups],
        ),
    )


def _lists(found: Hindsight, titles: Mapping[str, str]) -> Figure | Absent:
    """Each list and its control group: how many were to order, how many did."""
    shown = [one for one in found.lists if one.members.customers_count]
    if not shown:
        return Absent("How did the lists do?", f"There were no lists on {short_date(found.night.as_of)}.")
    pairs = []
    for one in shown:
        pairs.append(_share_pair(titles.get(one.segment, one.segment), one.members))
        if one.controls.customers_count:
            pairs.append(_share_pair("… its control group", one.controls))
    longest = max(shown, key=lambda one: one.members.customers_count)
    return figure(
        "then-lists",
        f"Of {count(longest.members.customers_count)} on “{titles.get(longest.segment, longest.segment)}”, "
        f"{count(longest.members.happened)} ordered; we had said {count(longest.members.said)}",
        "Share of each list that ordered, said and happened. A control group fitted the same rule and was left out of the list by lot: "
        "nothing that was sent for it touched its customers.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("List", "On it", "Written to", "Said to order", "Ordered", "Control group", "Said to order", "Ordered"),
            [
                (
                    titles.get(one.segment, one.segment),
                    count(one.members.customers_count),
                    count(one.written_to_count),
                    count(one.members.said),
                    count(one.members.happened),
                    *(count(figure) for figure in (one.controls.customers_count, one.controls.said, one.controls.happened)),
                )
                for one in shown
            ],
        ),
        FULL,
    )


def _value_tenths(found: Hindsight, money: Money) -> Figure:
    tenths = list(reversed(found.tenths))
    total = sum(one.happened for one in tenths)
    pairs = [
        _mean_pair(f"{place} ({'highest' if place == 1 else 'lowest'})" if place in (1, len(tenths)) else str(place), one, money)
        for place, one in enumerate(tenths, start=1)
    ]
    first = tenths[0].happened / total if total > 0 else 0.0
    return figure(
        "then-value-tenths",
        f"The tenth ranked first brought {percent(first)} of the revenue",
        f"Customers in tenths by the value that was expected: revenue of a customer in {found.night.days} days, said and happened.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Tenth", "Customers", "Said", "Happened", "Share of the revenue"),
            [
                (
                    pair.label,
                    count(one.customers_count),
                    pair.said_text,
                    pair.happened_text,
                    percent(one.happened / total if total > 0 else 0, 1),
                )
                for pair, one in zip(pairs, tenths, strict=True)
            ],
        ),
    )


def _gain(found: Hindsight) -> Figure:
    reached, shares, total = 0.0, [0.0], sum(one.happened for one in found.tenths)
    for one in reversed(found.tenths):
        reached += one.happened
        shares.append(reached / total if total > 0 else 0.0)
    fifth = shares[min(2, len(shares) - 1)]
    return figure(
        "then-gain",
        f"{percent(fifth)} of the revenue came from the fifth ranked first",
        "Customers are ranked by the value that was expected, highest first: the line shows which share of the revenue one had reached.",
        lambda width: gain_curve(width, [Gain("What we said", shares, "accent")], "Share of the revenue"),
        DataTable(("Tenths", "Share of the revenue"), [(str(place), percent(share, 1)) for place, share in enumerate(shares)]),
    )


def _value_contact(found: Hindsight, money: Money) -> Figure:
    groups = [(label, one) for label, one in (("Written to", found.written_to), ("Left alone", found.left_alone)) if one.customers_count]
    pairs = [_mean_pair(label, one, money) for label, one in groups]
    pairs += [_mean_pair("All", found.whole, money)]
    return figure(
        "then-value-contact",
        f"A customer was to bring {pairs[-1].said_text} and brought {pairs[-1].happened_text}",
        "Revenue of a customer, said and happened. Who was written to meanwhile may have ordered because of it.",
        lambda width: said_and_happened(width, pairs),
        DataTable(
            ("Customers", "Number", "Said", "Happened"),
            [
                (pair.label, count(one.customers_count), pair.said_text, pair.happened_text)
                for pair, one in zip(pairs, [*(one for _, one in groups), found.whole], strict=True)
            ],
        ),
    )


def _quantiles(found: Hindsight) -> Figure | Absent:
    if found.above[-1] is None:
        return Absent("Did the ranges hold?", "No quantiles of the value were stated on that night.")
    pairs = [
        Pair(f"At most {percent(promise)} above", promise, share or 0.0, percent(promise), percent(share or 0.0, 1))
        for (_, promise), share in zip(QUANTILES, found.above, strict=True)
    ]
    return figure(
        "then-quantiles",
        f"{percent(found.above[-1], 1)} spent more than what at most one in ten should exceed",
        "Beside each expected value stood three amounts that at most every second, fifth and tenth customer should exceed; fewer do where "
        "most spend nothing.",
        lambda width: said_and_happened(width, pairs),
        DataTable(("Amount", "Said", "Happened"), [(pair.label, pair.said_text, pair.happened_text) for pair in pairs]),
    )


def _share(figure: float, of: Outcome) -> float:
    return figure / of.customers_count if of.customers_count else 0.0


def _share_pair(label: str, one: Outcome) -> Pair:
    said, happened = _share(one.said, one), _share(one.happened, one)
    return Pair(label, said, happened, f"{percent(said, 1)}", f"{percent(happened, 1)}")


def _mean_pair(label: str, one: Outcome, money: Money) -> Pair:
    said, happened = _share(one.said, one), _share(one.happened, one)
    return Pair(label, said, happened, money.full(round(said, 2)), money.full(round(happened, 2)))
