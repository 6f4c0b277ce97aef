"""Why a customer on a list is at risk, or what speaks for one who is not, in up to three sentences.

The concepts that contribute most to the log odds of churn, against the typical customer of the other kind, are candidates. One is
told only where it can be said in words that hold, and where the probability really moves as the words say when what the
concept speaks of is made that of the typical customer and the whole predictor predicts anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from models.concepts import CONCEPTS, replaced
from models.contributions import churn_log_odds
from models.feature_matrix import FEATURES, numbers
from models.prediction import Figures
from models.serving import Predictor, Scorer
from regulars.nights import past_night
from regulars.run import Run
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_REASONS, CUSTOMER_SCORES, SEGMENT_MEMBERSHIPS
from regulars.warehouse import Warehouse
from scoring.leaving import FACTS, facts_query, likely_reasons, shop_facts
from scoring.reason_words import TYPICAL, sentences
from scoring.side_by_side import side_by_side
from scoring.typical import Opposites, opposites_of

ROWS_PER_BATCH = 100_000
MOST_REASONS = 3
MOST_CANDIDATES = 4
LEAST_CONTRIBUTION = 0.05
"""In log odds."""

LEAST_MOVE = 0.01
"""By which the probability must move for a reason to be told."""


@dataclass(frozen=True)
class Told:
    """For n customers.

    Attributes:
        is_at_risk: shape (n,): more probably than not there is no order within the churn horizon.
        contributions: towards the side on which the customer stands, shape (concepts, n), in log odds.
        moves: by how much the probability goes to the other side without the concept, shape (concepts, n); NaN where it was not
            tried.
        words: shape (concepts, n), None where there is nothing to tell, or too little comes of it.
    """

    is_at_risk: NDArray[np.bool_]
    contributions: Figures
    moves: Figures
    words: NDArray[np.object_]

    def chosen(self) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Concepts and sentences, each of shape (MOST_REASONS, n), the weightiest first, None where there are no more."""
        is_told = np.nan_to_num(self.moves, nan=-1.0) >= LEAST_MOVE
        order = np.argsort(np.where(is_told, -self.contributions, np.inf), axis=0, kind="stable")[:MOST_REASONS]
        is_there = np.take_along_axis(is_told, order, axis=0)
        concepts, words = np.array(list(CONCEPTS), dtype=object)[order], np.take_along_axis(self.words, order, axis=0)
        concepts[~is_there] = words[~is_there] = None
        return concepts, words


def write_reasons(warehouse: Warehouse, run: Run, scorer: Scorer) -> int:
    """Replace the reasons of the run's as_of by those of the customers that stand on its lists; their number."""
    warehouse.create_temporary(
        "listed",
        f"""
        as
        select customer_id, count(*) filter (where contact_permission = 'granted') > 0 as is_permitted
        from {SEGMENT_MEMBERSHIPS.qualified_name}
        where as_of_date = ?
        group by customer_id
        """,
        [run.as_of],
    )
    return warehouse.replace_slice(CUSTOMER_REASONS, run.as_of, _reasons(warehouse, run, scorer.predictor))


def _reasons(warehouse: Warehouse, run: Run, predictor: Predictor) -> Iterator[pa.Table]:
    count = warehouse.rows("select count(*) from listed")[0][0]
    if not count:
        return
    _load_rows(warehouse, run)
    of_shop, opposites = shop_facts(warehouse, run.as_of), opposites_of(warehouse, run.as_of, predictor)

    def batch_of(start: int) -> pa.Table:
        rows = warehouse.arrow(
            "select * from listed_rows where row_number > ? and row_number <= ? order by row_number", [start, start + ROWS_PER_BATCH]
        ).combine_chunks()
        for name, value in of_shop.items():
            rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
        return rows

    yield from side_by_side(
        lambda rows: reasons_of(rows, run.as_of, predictor, opposites, run.settings),
        map(batch_of, range(0, count, ROWS_PER_BATCH)),
    )


def _load_rows(warehouse: Warehouse, run: Run) -> None:
    """Make the temporary table `listed_rows`: what is asked of those in `listed`, in the order of its row_number.

    Joined once: joined for each batch, every customer of the shop would be read as often as there are batches.
    """
    known_until = past_night(warehouse, run.as_of, run.settings.shop.time_zone).known_until
    facts, parameters = facts_query(run.as_of, known_until)
    columns = ", ".join([f"features.{feature.name}" for feature in FEATURES] + [f"facts.{name}" for name in FACTS])
    warehouse.create_temporary(
        "listed_rows",
        f"""
        as
        select row_number() over () as row_number, facts.customer_id, scores.churn_probability, {columns}
        from ({facts}) as facts
        inner join {CUSTOMER_FEATURES.qualified_name} as features on facts.customer_id = features.customer_id and features.as_of_date = ?
        inner join {CUSTOMER_SCORES.qualified_name} as scores on facts.customer_id = scores.customer_id and scores.as_of_date = ?
        """,
        [*parameters, run.as_of, run.as_of],
    )


def reasons_of(rows: pa.Table, as_of: date, predictor: Predictor, opposites: Opposites, settings: HomeSettings) -> pa.Table:
    """Rows of `customer_reasons` for rows of features and facts, with the churn_probability that was predicted of them."""
    told = told_of(rows, numbers(rows.column("churn_probability")), predictor, opposites, settings)
    concepts, words = told.chosen()
    numbered = enumerate(zip(concepts, words, strict=True), start=1)
    columns = {
        f"{kind}_{number}": pa.array(part, pa.string())
        for number, pair in numbered
        for kind, part in zip(("concept", "reason"), pair, strict=True)
    }
    leaving = likely_reasons(_in_context(rows, told.is_at_risk, opposites, settings))
    return pa.table(
        {
            "customer_id": rows["customer_id"],
            "as_of_date": pa.repeat(pa.scalar(as_of, pa.date32()), rows.num_rows),
            "is_at_risk": told.is_at_risk,
            **columns,
            **{name: leaving[name] for name in leaving.column_names},
        }
    )


def told_of(rows: pa.Table, churn_probability: Figures, predictor: Predictor, opposites: Opposites, settings: HomeSettings) -> Told:
    """What can be told of each row, and what it rests on.

    Args:
        churn_probability: what the predictor says of the rows, shape (n,).
    """
    features = rows.select([feature.name for feature in FEATURES])
    is_at_risk = churn_probability >= 0.5
    side = np.where(is_at_risk, 1.0, -1.0)
    contributions = np.zeros((len(CONCEPTS), rows.num_rows))
    for kind in (True, False):
        at = np.flatnonzero(is_at_risk == kind)
        contributions[:, at] = opposites[kind].contributions.of(features.take(at))
    contributions *= side
    told = sentences(_in_context(rows, is_at_risk, opposites, settings), contributions >= LEAST_CONTRIBUTION)
    words = np.stack([told[concept].to_numpy() for concept in CONCEPTS])
    candidates = words != None  # noqa: E711 - by element
    place = np.argsort(np.argsort(np.where(candidates, -contributions, np.inf), axis=0, kind="stable"), axis=0, kind="stable")
    moves = np.full(contributions.shape, np.nan)
    # Who has been told enough of the first needs no more.
    for places in (range(MOST_REASONS), range(MOST_REASONS, MOST_CANDIDATES)):
        is_wanting = np.sum(np.nan_to_num(moves, nan=-1.0) >= LEAST_MOVE, axis=0) < MOST_REASONS
        for number, concept in enumerate(CONCEPTS):
            is_tried = candidates[number] & np.isin(place[number], places) & is_wanting
            for kind in (True, False):
                at = np.flatnonzero(is_tried & (is_at_risk == kind))
                if len(at):
                    without = churn_log_odds(predictor, replaced(features.take(at), {concept}, opposites[kind].features))
                    moves[number, at] = side[at] * (churn_probability[at] - expit(without))
    return Told(is_at_risk, contributions, moves, words)


def _in_context(rows: pa.Table, is_at_risk: NDArray[np.bool_], opposites: Opposites, settings: HomeSettings) -> pa.Table:
    """The rows with what their sentences are told against."""
    both = pa.concat_tables([opposites[False].features, opposites[True].features]).take(pa.array(is_at_risk.astype(np.int8)))
    context = {
        "is_at_risk": pa.array(is_at_risk),
        "currency": pa.repeat(settings.shop.currency, rows.num_rows),
        "churn_horizon_days": pa.repeat(settings.prediction.churn_horizon_days, rows.num_rows),
        **{TYPICAL + name: both[name] for name in both.column_names},
    }
    if "row_number" not in rows.column_names:
        context["row_number"] = pa.array(range(rows.num_rows), pa.int64())
    for name, values in context.items():
        rows = rows.append_column(name, values)
    return rows
