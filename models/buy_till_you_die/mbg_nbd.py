"""MBG/NBD: a customer can drop out right after the first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.buy_till_you_die.beta_geometric import BetaGeometric


@dataclass(frozen=True)
class MbgNbd(BetaGeometric):
    """E. Batislam, M. Denizel and A. Filiztekin (2007), Empirical Validation and Comparison of Models for Customer Base Analysis,
    International Journal of Research in Marketing 24; D. Hoppe and U. Wagner (2007), Customer Base Analysis, Marketing ZFP 29.
    """

    first_order_is_chance: ClassVar[int] = 1
