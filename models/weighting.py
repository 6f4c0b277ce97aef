"""How much each member of the blend weighs: chosen per shop, by a rule, on past cutoffs and customers that no member had seen.

What is judged is what the fit says anyway of each row whose customer it was kept from, on the level of the row's cutoff, so that
the choice needs no fit of its own. Equal weights of the usual members stand unless others lose less, by more than chance and by
more than is negligible. Averages are hard to beat: the best of many on the past looks better than it will be (V. Genre et al.
(2013), Combining expert forecasts: Can anything beat the simple average?).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from models.prediction import Figures

Weights = Mapping[str, float]
"""By member, with the sum 1."""

Selection = tuple[str, ...]
"""Members that weigh the same, all others nothing."""

MOST_ROWS = 50_000
"""The choice is made on whole customers of about so many rows, however large the shop: it takes two seconds of a processor."""

CHANCE = 0.05
"""Of any other weights being taken for better where none are: each candidate has its share of it."""


@dataclass(frozen=True)
class Weighting:
    """The weights, and the evidence that they were chosen on: mean losses, in which each customer of each past cutoff counts the same.

    Attributes:
        by_member: of each member by itself.
        chosen, equal: of the blend, with these weights and with equal ones of the usual members.
    """

    weights: Weights
    loss: str
    by_member: Mapping[str, float]
    chosen: float
    equal: float
    because: str

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each member as a row of the table `blend_members`, without the model's version and the target."""
        for member, weight in self.weights.items():
            yield {
                "member": member,
                "weight": weight,
                "loss": self.loss,
                "member_loss": self.by_member[member],
                "chosen_loss": self.chosen,
                "equal_loss": self.equal,
                "because": self.because,
            }


@dataclass(frozen=True)
class Past:
    """Who n rows are of and which cutoff each is at, by number: neither the customers nor the cutoffs of a row are one by one."""

    customers: NDArray[np.int64]
    cutoffs: NDArray[np.int64]

    def __str__(self) -> str:
        return f"{len(np.unique(self.customers)):,} customers at {len(np.unique(self.cutoffs))} past cutoffs"

    def error(self, differences: Figures) -> float:
        """The standard error of their mean, over customers or over cutoffs, whichever is larger."""
        return max(_error(differences, self.customers), _error(differences, self.cutoffs))


def equal_weights(members: Sequence[str], chosen: Sequence[str]) -> Weights:
    return {member: 1.0 / len(chosen) if member in chosen else 0.0 for member in members}


def blended(members: Mapping[str, Figures], weights: Weights) -> Figures:
    """The weighted mean of what the members say, each of shape (n,)."""
    result: Figures = np.sum([weight * members[member] for member, weight in weights.items() if weight], axis=0)
    return result


def choose_weights(
    members: Sequence[str], usual: Sequence[str], past: Past, loss: str, losses: Callable[[Weights], Figures], negligible: float
) -> Weighting:
    """Equal weights of the usual members, or of others where the past says so.

    Candidates are the equal weights of each selection of members. Of those that are better than the usual one, and that the best
    is not better than, the nearest to the usual one is taken.

    Args:
        losses: of each row of `past`, predicted with the weights.
        negligible: a difference between mean losses that is none, however surely it is there.
    """
    selections = [chosen for size in range(len(members), 0, -1) for chosen in combinations(members, size)]
    found = {chosen: losses(equal_weights(members, chosen)) for chosen in selections}
    means = {chosen: float(values.mean()) for chosen, values in found.items()}
    z = float(ndtri(1.0 - CHANCE / (len(selections) - 1)))

    def is_better(one: Selection, other: Selection) -> bool:
        gains = found[other] - found[one]
        return float(gains.mean()) > max(negligible, z * past.error(gains))

    equal, best = tuple(usual), min(selections, key=lambda chosen: means[chosen])
    better = [chosen for chosen in selections if is_better(chosen, equal) and not is_better(best, chosen)]
    taken = min(better, key=lambda chosen: len(set(chosen) ^ set(equal)), default=equal)
    did = "these members together did" if better else "no other members together did"
    because = f"of {past} {did} better than the usual ones by more than {negligible:.2g} and than chance"
    alone = {member: means[member,] for member in members}
    return Weighting(equal_weights(members, taken), loss, alone, means[taken], means[equal], because)


def _error(differences: Figures, group: NDArray[np.int64]) -> float:
    """Of a mean of differences that hang together within a group."""
    sums = np.bincount(group, differences - differences.mean())
    return float(np.sqrt(sums @ sums)) / len(differences)
