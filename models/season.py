"""Which past cutoff shows the level, of churn and of spending, that the coming horizon will have."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np

from models.feature_matrix import numbers
from models.training_frame import TrainingFrame

DAYS_PER_YEAR = 365
NEAR_DAYS = 14
"""Half of the usual step between cutoffs: one of a year ago then is at hand."""

FEWEST_NEW_CUSTOMERS_SHARE = 0.05


def level_cutoff(frame: TrainingFrame, cutoffs: Collection[date], as_of: date) -> date:
    """The cutoff on which predictions for `as_of` are calibrated: that of a year ago, which had the same season, else the latest.

    Most shops sell more at one time of the year than at another, and trees without the calendar cannot know: on Online
    Retail II in autumn this took the log loss from .576 to .526, and the sum of the expected values from .63 to .83 of
    the actual one. A closed cohort, whose customers only age, has no season that would return: there it is the latest.

    Args:
        cutoffs: at least one; those of `frame` whose outcomes are known at `as_of`.
    """
    latest = max(cutoffs)
    nearest = min(sorted(cutoffs), key=lambda cutoff: abs((as_of - cutoff).days - DAYS_PER_YEAR))
    if abs((as_of - nearest).days - DAYS_PER_YEAR) > NEAR_DAYS:
        return latest
    ages = numbers(frame.features.column("customer_age_days"))[frame.is_at(latest)]
    is_open = len(ages) > 0 and float(np.mean(ages <= DAYS_PER_YEAR)) >= FEWEST_NEW_CUSTOMERS_SHARE
    return nearest if is_open else latest
