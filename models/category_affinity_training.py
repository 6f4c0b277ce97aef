"""Learning how a category's share of past orders becomes the probability that the next order contains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from models.category_affinity import CERTAIN, CategoryAffinity, weights_sql
from models.evaluation import calibration_error, log_loss
from models.prediction import Figures
from models.purchases import Knowledge, categories_sql, drawn_customers, has_purchases
from models.sampled import Sample
from models.splits import folds_by_customer
from models.term_line import TermLine
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse

HALF_LIVES = (90.0, 365.0, 1460.0)
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
MOST_BUYERS = 20_000
FEWEST_BUYERS = 200
PREDICTOR = "our_model"
A_DAY = 1.0
"""Half-life by which nothing but the last day with an order counts."""


@dataclass(frozen=True)
class LearnedAffinity:
    """What was learned, and how it did at the cutoff on customers that it was not learned from.

    Attributes:
        metrics: by predictor, then by metric: `next_order_hit_rate`, how often the customer's next order contained the category, and of
            the affinity its log loss and calibration error.
    """

    affinity: CategoryAffinity
    cutoff: date
    buyers_count: int
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Shares:
    """What weighs for the categories that customers bought of; an entry each, ordered by customer and category."""

    customer: NDArray[np.int64]
    weight: Figures
    total: Figures
    shop_share: Figures
    is_next: Figures

    def with_strength(self, strength: float) -> Figures:
        return np.clip((self.weight + strength * self.shop_share) / (self.total + strength), CERTAIN, 1 - CERTAIN)

    def favourites(self, shares: Figures) -> NDArray[np.int64]:
        """The entry of each customer's favourite; of equal ones the first category."""
        order = np.lexsort((np.arange(len(shares)), -shares, self.customer))
        starts = np.flatnonzero(np.r_[True, np.diff(self.customer[order]) > 0]) if len(order) else np.zeros(0, np.int64)
        chosen: NDArray[np.int64] = order[starts]
        return chosen


@dataclass(frozen=True)
class NextCategories:
    """What customers had bought of by a cutoff, and what their next orders contained; all that is learned from."""

    cutoff: date
    by_half_life: Mapping[float, _Shares]


def read_next_categories(warehouse: Warehouse, as_of: date, settings: HomeSettings) -> NextCategories | None:
    """What there is to learn for `as_of`; None where the shop has no categories, or too few customers ordered again in the churn
    horizon before.
    """
    if not has_purchases(warehouse, "category"):
        return None
    cutoff = as_of - timedelta(days=settings.prediction.churn_horizon_days)
    then, now = (Knowledge.at(warehouse, day, settings.shop.time_zone) for day in (cutoff, as_of))
    drawn = drawn_customers(warehouse)
    count = _load_next_orders(warehouse, then, now, drawn)
    if count < FEWEST_BUYERS:
        return None
    warehouse.create_temporary("category_days", f"as {categories_sql(then, drawn=drawn)}")
    buyers = drawn.at_most(MOST_BUYERS, count)
    return NextCategories(cutoff, {half_life: _shares(warehouse, then, buyers, half_life) for half_life in (*HALF_LIVES, A_DAY)})


def learn_category_affinity(known: NextCategories) -> LearnedAffinity:
    """The affinity that tells the next orders best."""
    by_half_life = known.by_half_life
    customers = by_half_life[A_DAY].customer
    fold = folds_by_customer(customers, 2)
    chosen: dict[int, NDArray[np.int64]] = {}
    probability = np.zeros(len(customers))
    for held_out in (0, 1):
        learned = _best(by_half_life, fold != held_out)
        shares = by_half_life[learned.half_life_days]
        with_strength = shares.with_strength(learned.strength)
        at = fold == held_out
        probability[at] = expit(learned.shift + learned.slope * _log_odds(with_strength[at]))
        favourites = shares.favourites(with_strength)
        chosen[held_out] = favourites[at[favourites]]
    favourites = np.concatenate([chosen[0], chosen[1]])
    is_next = by_half_life[A_DAY].is_next
    last = by_half_life[A_DAY].favourites(by_half_life[A_DAY].with_strength(1.0))
    often = by_half_life[HALF_LIVES[-1]].favourites(by_half_life[HALF_LIVES[-1]].weight)
    metrics = {
        PREDICTOR: {
            "next_order_hit_rate": float(is_next[favourites].mean()),
            "log_loss_of_affinity": log_loss(probability[favourites], is_next[favourites]),
            "ece_of_affinity": calibration_error(probability[favourites], is_next[favourites]),
            "mean_affinity": float(probability[favourites].mean()),
        },
        "last_category": {"next_order_hit_rate": float(is_next[last].mean())},
        "most_bought_category": {"next_order_hit_rate": float(is_next[often].mean())},
    }
    everyone = np.ones(len(customers), dtype=bool)
    return LearnedAffinity(_best(by_half_life, everyone), known.cutoff, len(np.unique(customers)), metrics)


def _best(by_half_life: Mapping[float, _Shares], chosen: NDArray[np.bool_]) -> CategoryAffinity:
    """The half-life and strength whose shares tell the chosen entries' next orders best, calibrated to their favourites alone."""
    found: list[tuple[float, float, float]] = []
    for half_life, strength in product(HALF_LIVES, STRENGTHS):
        shares = by_half_life[half_life]
        log_odds, is_next = _log_odds(shares.with_strength(strength))[chosen], shares.is_next[chosen]
        found.append((log_loss(expit(_line(log_odds, is_next).of([log_odds])), is_next), half_life, strength))
    _, half_life, strength = min(found)
    shares = by_half_life[half_life]
    with_strength = shares.with_strength(strength)
    favourites = shares.favourites(with_strength)
    favourites = favourites[chosen[favourites]]
    line = _line(_log_odds(with_strength[favourites]), shares.is_next[favourites])
    return CategoryAffinity(half_life, strength, line.constant, line.weights[0])


def _line(log_odds: Figures, is_next: Figures) -> TermLine:
    """The line from shares to probabilities; flat where a larger share would mean less."""
    line = TermLine.fitted(log_odds[:, None], is_next, np.ones(len(is_next)))
    if line.weights[0] >= 0:
        return line
    return TermLine.fitted(np.zeros((len(is_next), 1)), is_next, np.ones(len(is_next)))


def _log_odds(shares: Figures) -> Figures:
    log_odds: Figures = np.log(shares / (1 - shares))
    return log_odds


def _load_next_orders(warehouse: Warehouse, then: Knowledge, now: Knowledge, drawn: Sample) -> int:
    """Make the temporary table `next_categories`: the categories of the first order after the cutoff; the number of such customers."""
    later = categories_sql(now, then.day, drawn)
    warehouse.create_temporary(
        "next_categories",
        f"""
        as
        select days.customer_id, days.category
        from ({later}) as days
        inner join (select customer_id, min(ordered_day) as ordered_day from ({later}) as later group by customer_id) as firsts
            on days.customer_id = firsts.customer_id and days.ordered_day = firsts.ordered_day
        """,
    )
    return int(warehouse.rows("select count(distinct customer_id) from next_categories")[0][0])


def _shares(warehouse: Warehouse, then: Knowledge, buyers: Sample, half_life: float) -> _Shares:
    rows = warehouse.arrow(
        f"""
        select weights.customer_id, weights.weight, weights.total, weights.shop_share,
            case when next_categories.category is null then 0 else 1 end as is_next
        from ({weights_sql(then, "category_days", half_life)}) as weights
        inner join (select distinct customer_id from next_categories where {buyers.condition}) as buyers
            on weights.customer_id = buyers.customer_id
        left join next_categories
            on weights.customer_id = next_categories.customer_id and weights.category = next_categories.category
        order by weights.customer_id, weights.category
        """
    )
    ids = rows.column("customer_id").cast(pa.string()).combine_chunks()
    customer = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    figures = (rows.column(name).cast(pa.float64()).to_numpy() for name in ("weight", "total", "shop_share", "is_next"))
    return _Shares(customer, *figures)
