"""Which rung serves after a trial, and whether the model that serves goes on."""

from __future__ import annotations

from dataclasses import dataclass

from models.ladder import IN_WORDS, RUNGS, Bearing, Rung
from models.trial import Incumbent, Trial


@dataclass(frozen=True)
class Choice:
    """The highest rung that the data bear and that is not worse than a lower one, or the serving model.

    Attributes:
        keeps_serving: whether the model that serves goes on instead.
        reasons: in words, why nothing higher and why nothing new.
        against_serving: how the choice was held against the model that serves, in words; None where there is none.
    """

    rung: Rung
    keeps_serving: bool
    reasons: list[str]
    against_serving: str | None


def chosen(trial: Trial, bearing: Bearing, incumbent: Incumbent | None, tolerance: float) -> Choice:
    """The choice after a trial of the rungs that the data bear.

    The serving model is replaced by what is not worse than it on a cutoff after all that it learned from. Where there is no
    such cutoff it cannot be compared: then it is replaced by the highest rung that the data bear when that is not worse than
    anything simpler, and goes on when it stands higher than what is left.
    """
    reasons = [] if bearing.why_not_higher is None else [bearing.why_not_higher]
    rung = RUNGS[0]
    for one in reversed(bearing.rungs):
        found = trial.shortcomings(one, tolerance)
        if not found:
            rung = one
            break
        reasons.append(f"{IN_WORDS[one]} not promoted: {'; '.join(found)}")
    if incumbent is None:
        return Choice(rung, False, reasons, None)
    if trial.was_serving_tried:
        behind = trial.behind_serving(rung, tolerance)
        since = f"on {trial.churn.cutoff}, after all that it learned from"
        if behind:
            return Choice(rung, True, reasons, f"{IN_WORDS[rung]} not promoted: {'; '.join(behind)} {since}")
        return Choice(rung, False, reasons, f"not worse than {incumbent.version} {since}")
    unseen = f"not compared with {incumbent.version}, which has learned from what came after the cutoff of the trial"
    is_above_all_left = RUNGS.index(incumbent.model.rung) > RUNGS.index(rung) and rung != bearing.highest
    return Choice(rung, is_above_all_left, reasons, unseen)
