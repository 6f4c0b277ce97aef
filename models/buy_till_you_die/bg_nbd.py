"""BG/NBD: who ordered once cannot have dropped out yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.buy_till_you_die.beta_geometric import BetaGeometric


@dataclass(frozen=True)
class BgNbd(BetaGeometric):
    """P. Fader, B. Hardie and K. Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2)."""

    first_order_is_chance: ClassVar[int] = 0
