"""Hindcasts: what would have been said at each past cutoff of customers whom the model had not seen, and what came of it.

The trees that speak of a customer were fitted without that customer, on all cutoffs; the level is the one that would have
been foretold at the cutoff, from what was known by then. Where that was nothing, as at the oldest cutoffs, it is the one that
they came out at, and says so. It costs no further fit: these are the predictions that the number of rounds was chosen by. The
trial, beside it, learns from nothing later than its one cutoff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from models.baselines import Formula, RfmCells
from models.evaluation import BINS, churn_metrics, log_losses, tie_means, value_metrics
from models.expectation import Level, ObservedLevel, ShopAtDate, predicted_level, shift_to
from models.feature_matrix import numbers
from models.offsets import Offsets
from models.prediction import QUANTILES, Figures
from models.training_frame import TrainingFrame
from models.value_quantiles import ValueQuantiles

MODEL = "blend"
EXPECTATION = "buy_till_you_die"

NEW_DAYS = 90
FEWEST_LOYAL_ORDERS = 5
LIFE_STAGES = ("new", "once", "repeat", "loyal")
"""First order within `NEW_DAYS`, and no other; one order, longer ago; two orders or more; `FEWEST_LOYAL_ORDERS` or more."""
LEVELS = ("churn_level", "value_level")
THIRDS = ("lowest", "middle", "highest")


@dataclass(frozen=True)
class Unseen:
    """Of each row of a training frame, what trees say that its customer was kept from, on the level that its cutoff came out at.

    Without trees, what they would stand on says it all.
    """

    offsets: Offsets
    churn_log_odds: Figures | None = None
    value: Figures | None = None


@dataclass(frozen=True)
class Said:
    """One predictor's word on n customers of a cutoff; the quantiles, shape (len(QUANTILES), n), None where it states none."""

    churn: Figures
    value: Figures
    quantiles: Figures | None = None


@dataclass(frozen=True)
class Hindcast:
    """One past cutoff: what each predictor would have said, and what happened.

    Attributes:
        value_days: None where the longest window of value that the frame knows has not passed since the cutoff.
        is_churn_level_foretold, is_value_level_foretold: false where the model's level is the one that came out.
    """

    cutoff: date
    churn_days: int
    value_days: int | None
    by_predictor: Mapping[str, Said]
    has_churned: NDArray[np.bool_]
    value: Figures
    life_stage: NDArray[np.int64]
    is_churn_level_foretold: bool
    is_value_level_foretold: bool

    def metrics(self) -> dict[str, dict[str, float]]:
        """By predictor, then by metric."""
        return {
            name: churn_metrics(said.churn, self.has_churned)
            | (value_metrics(said.value, self.value) if self.value_days is not None else {})
            for name, said in self.by_predictor.items()
        }

    def rows(self) -> Iterator[pa.Table]:
        """How each predictor did in each group, as rows of the table `hindcasts` without the model's version."""
        thirds = _parts(next(iter(self.by_predictor.values())).value, len(THIRDS))
        everybody = np.zeros(len(self.has_churned), dtype=np.int64)
        for name, said in self.by_predictor.items():
            churn_tenths, value_tenths = _parts(said.churn, BINS), _parts(said.value, BINS)
            numbered = [str(number) for number in range(1, BINS + 1)]
            yield self._groups(name, said, "all", everybody, ["all"])
            yield self._groups(name, said, "life stage", self.life_stage, LIFE_STAGES)
            yield self._groups(name, said, "value third", thirds, THIRDS)
            yield self._groups(name, said, "churn tenth", churn_tenths, numbered, ranked_by=said.churn)
            yield self._groups(name, said, "value tenth", value_tenths, numbered, ranked_by=said.value)

    def _groups(
        self, name: str, said: Said, grouping: str, group: NDArray[np.int64], names: Sequence[str], ranked_by: Figures | None = None
    ) -> pa.Table:
        churned, value = self.has_churned.astype(np.float64), self.value
        sizes = np.bincount(group, minlength=len(names))
        held = np.flatnonzero(sizes)

        def means(figures: Figures) -> Figures:
            result: Figures = np.bincount(group, figures, len(names))[held] / sizes[held]
            return result

        def known(figures: Figures | None) -> pa.Array:
            return pa.nulls(len(held), pa.float64()) if figures is None or self.value_days is None else pa.array(means(figures))

        # Within ties of what ranks them, customers are in no order: each counts as their mean.
        came = (churned, value) if ranked_by is None else (tie_means(ranked_by, churned), tie_means(ranked_by, value))
        above = [None] * len(QUANTILES) if said.quantiles is None else [(value > stated).astype(np.float64) for stated in said.quantiles]
        return pa.table(
            {
                "as_of_date": pa.repeat(pa.scalar(self.cutoff, pa.date32()), len(held)),
                "churn_days": pa.repeat(pa.scalar(self.churn_days, pa.int64()), len(held)),
                "value_days": pa.repeat(pa.scalar(self.value_days, pa.int64()), len(held)),
                "is_churn_level_foretold": pa.repeat(self.is_churn_level_foretold, len(held)),
                "is_value_level_foretold": pa.repeat(self.is_value_level_foretold, len(held)),
                "predictor": pa.repeat(name, len(held)),
                "grouping": pa.repeat(grouping, len(held)),
                "part": pa.array([names[int(number)] for number in held], pa.string()),
                "part_number": pa.array(held + 1, pa.int64()),
                "customers_count": pa.array(sizes[held], pa.int64()),
                "churn_predicted": pa.array(means(said.churn)),
                "churned_share": pa.array(means(came[0])),
                "churn_log_loss": pa.array(means(log_losses(said.churn, churned))),
                "value_predicted": known(said.value),
                "value_actual": known(came[1]),
                "value_error": known(np.abs(said.value - value)),
                **{f"above_q{level * 100:.0f}_share": known(flags) for level, flags in zip(QUANTILES, above, strict=True)},
            }
        )


def run_hindcasts(frame: TrainingFrame, unseen: Unseen | None, quantiles: ValueQuantiles | None, lifespan_years: float) -> list[Hindcast]:
    """A hindcast of every cutoff whose longest window of churn has passed, ascending.

    Args:
        frame: with at least one row.
        unseen: None leaves the model out.
    """
    churn_days, value_days = (_longest(frame, name) for name in LEVELS)
    cells_frame = replace(frame, features=frame.features.select(list(RfmCells.columns)))
    found = []
    for cutoff in frame.churn_cutoffs:
        shop = frame.shops[cutoff]
        if shop.churn_level is None or shop.churn_level.days != churn_days:
            continue
        at = frame.is_at(cutoff)
        rows = frame.features.filter(pa.array(at))
        formula = Formula(churn_days, value_days or frame.value_horizon_days, lifespan_years).predict(rows)
        churn_level, value_level = (_foretold(frame, shop, name) for name in LEVELS)
        by_predictor = {"formula": Said(formula.churn_probability, formula.expected_value)}
        if unseen is not None:
            levels = [level or came_out for level, came_out in zip((churn_level, value_level), shop.levels, strict=True)]
            by_predictor = _by_model(unseen, shop, levels[0], levels[1], quantiles, at) | by_predictor
        known = cells_frame.known_at(cutoff)
        if len(known):
            cells = RfmCells.fitted(known)
            by_predictor["rfm_cells"] = Said(cells.churn_probability(rows), cells.expected_value(rows))
        is_value_known = shop.value_level is not None and shop.value_level.days == value_days
        found.append(
            Hindcast(
                cutoff,
                churn_days,
                value_days if is_value_known else None,
                by_predictor,
                frame.has_churned[at],
                np.nan_to_num(frame.value[at]),
                _life_stages(rows),
                churn_level is not None,
                value_level is not None,
            )
        )
    return found


def _by_model(
    unseen: Unseen, shop: ShopAtDate, churn_level: Level, value_level: Level, quantiles: ValueQuantiles | None, at: NDArray[np.bool_]
) -> dict[str, Said]:
    """The model, and below it what trees stand on, both on these levels."""
    silence = unseen.offsets.silence[at] + churn_level.shift
    worth = np.exp(unseen.offsets.worth[at] + value_level.log_factor)
    # The log odds of no order within the value horizon, from the level that came out to this one.
    no_order = unseen.offsets.no_order[at] - shop.levels[1].shift + value_level.shift

    def said(log_odds: Figures, value: Figures) -> Said:
        order_probability = expit(-(no_order + log_odds - silence))
        return Said(expit(log_odds), value, None if quantiles is None else quantiles.of(order_probability, value))

    if unseen.churn_log_odds is None or unseen.value is None:
        return {EXPECTATION: said(silence, worth)}
    log_odds = unseen.churn_log_odds[at]
    log_odds = log_odds + shift_to(log_odds, float(expit(silence).mean()))
    value = unseen.value[at]
    value = value * (float(worth.sum()) / total if (total := float(value.sum())) > 0 else 1.0)
    return {MODEL: said(log_odds, value), EXPECTATION: Said(expit(silence), worth)}


def _foretold(frame: TrainingFrame, shop: ShopAtDate, name: str) -> Level | None:
    """The level that would have been foretold at a cutoff; None where no window of any cutoff of the frame had passed by then."""
    past = [(one, getattr(one, name)) for one in frame.shops.values()]
    if not any(seen is not None and one.day + timedelta(days=seen.days) <= shop.day for one, seen in past):
        return None
    came_out: ObservedLevel | None = getattr(shop, name)
    return predicted_level(past, shop, came_out.days if came_out else frame.value_horizon_days)


def _longest(frame: TrainingFrame, name: str) -> int:
    """The longest window that any cutoff of the frame knows; 0 where none knows any."""
    return max((level.days for shop in frame.shops.values() if (level := getattr(shop, name)) is not None), default=0)


def _parts(figures: Figures, count: int) -> NDArray[np.int64]:
    """The part of each of n customers, 0 the lowest: parts as equal as `count` makes them."""
    part = np.empty(len(figures), dtype=np.int64)
    part[np.argsort(figures, kind="stable")] = np.arange(len(figures)) * count // max(len(figures), 1)
    return part


def _life_stages(rows: pa.Table) -> NDArray[np.int64]:
    orders, age = numbers(rows.column("orders_count")), numbers(rows.column("customer_age_days"))
    stage: NDArray[np.int64] = np.select([orders >= FEWEST_LOYAL_ORDERS, orders >= 2, age > NEW_DAYS], [3, 2, 1], 0)
    return stage
