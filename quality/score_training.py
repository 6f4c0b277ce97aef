"""Tonight's churn probabilities in the tenths of those on the cutoff that the model was evaluated on."""

from __future__ import annotations

from itertools import pairwise

from quality.profile import Profile
from quality.score_profile import RELATION, TABLE
from regulars.tables import CALIBRATION_BINS, MODEL_EVALUATIONS
from regulars.warehouse import Warehouse

TENTHS = "churn_probability_tenths"


def measure_tenths(warehouse: Warehouse, tonight: Profile) -> Profile | None:
    """The histogram of the evaluation, and into tonight's profile the one beside it; None for a night that no model scored.

    The evaluation keeps the mean of each tenth; halfway between two means lies about the bound of their tenths.
    """
    bins = warehouse.rows(
        f"""
        select bin, predicted, customers_count
        from {CALIBRATION_BINS.qualified_name}
        where model_version = (select max(model_version) from {RELATION})
        order by bin
        """,
        [tonight.as_of],
    )
    evaluated = warehouse.rows(
        f"""
        select max(as_of_date) from {MODEL_EVALUATIONS.qualified_name}
        where model_version = (select max(model_version) from {RELATION})
        """,
        [tonight.as_of],
    )[0][0]
    if len(bins) < 2 or evaluated is None:
        return None
    bounds = [(one[1] + other[1]) / 2 for one, other in pairwise(bins)]
    place = " + ".join(f"case when churn_probability >= {bound!r} then 1 else 0 end" for bound in bounds)
    counted = warehouse.rows(f"select 1 + {place} as tenth, count(*) from {RELATION} group by 1", [tonight.as_of])
    tonight.histograms[TABLE, TENTHS] = {int(tenth): int(count) for tenth, count in counted}
    return Profile(evaluated, histograms={(TABLE, TENTHS): {number: int(row[2]) for number, row in enumerate(bins, start=1)}})
