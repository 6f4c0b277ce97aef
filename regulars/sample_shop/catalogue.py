"""What the shop sells: 200 products in 8 categories, each category a ladder of prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_KINDS = {
    "Kitchen": ("tea towel", "cutting board", "frying pan", "knife set", "coffee machine"),
    "Garden": ("seed packet", "watering can", "pruning shears", "garden bench", "greenhouse"),
    "Living": ("scented candle", "cushion", "wool blanket", "side table", "armchair"),
    "Lighting": ("light bulb", "night light", "desk lamp", "floor lamp", "chandelier"),
    "Bath": ("hand soap", "bath towel", "bathrobe", "bath cabinet", "heated towel rail"),
    "Tools": ("box of screws", "screwdriver", "spirit level", "cordless drill", "workbench"),
    "Outdoor": ("camping cup", "head torch", "rucksack", "sleeping bag", "family tent"),
    "Children": ("crayons", "picture book", "board game", "wooden train", "play kitchen"),
}
"""Per category five kinds of goods, from cheap to dear."""
_MAKES = ("Alder", "Birch", "Cedar", "Linden", "Maple")
"""Five makes of each kind, from cheap to dear."""
_CHEAPEST = (1.95, 1.75, 2.95, 1.95, 2.45, 1.90, 2.90, 1.60)
_DEAREST = (399.0, 490.0, 549.0, 320.0, 445.0, 369.0, 520.0, 289.0)
POPULARITY = (0.20, 0.12, 0.16, 0.10, 0.13, 0.09, 0.10, 0.10)
"""Share of each category where no preference decides."""
_LIFESPAN_DAYS = (60, 540, 1_095, 2_190, 3_650)
_WARRANTY_DAYS = (0, 365, 730, 730, 1_825)
_STEP = 1 << 32
"""Apart of the categories in `Catalogue.ladder`; more than any price in cents."""


@dataclass(frozen=True)
class Catalogue:
    """The products, ordered by category and price; arrays have shape (products,), amounts are cents."""

    categories: tuple[str, ...]
    names: tuple[str, ...]
    category: NDArray[np.uint8]
    price: NDArray[np.int32]
    cost: NDArray[np.int32]
    warranty_days: NDArray[np.int32]
    lifespan_days: NDArray[np.int32]
    ladder: NDArray[np.float64]
    """category × 2³² + price: increasing over all products, so that one search finds a price within a category."""
    dearest: NDArray[np.float64]
    """Highest price of each category; shape (categories,)."""

    def priced(self, categories: NDArray[np.uint8], targets: NDArray[np.float64], chance: NDArray[np.float32]) -> NDArray[np.intp]:
        """Products of those categories whose mean price is the target (cents); chance is uniform in [0, 1).

        Each target lies between two prices of the ladder; the dearer one is taken with the probability that makes the
        expected price equal the target. Targets outside the ladder get its first or last product.
        """
        offsets = categories * float(_STEP)
        keys = targets + offsets
        above = np.clip(np.searchsorted(self.ladder, keys), 1, len(self.ladder) - 1)
        below = above - 1
        low, high = self.ladder[below], self.ladder[above]
        chosen = below + (chance * (high - low) < keys - low)
        # A target below the first or above the last price of its category found a neighbour category's product.
        rungs = len(self.ladder) // len(self.categories)
        first = categories.astype(np.intp) * rungs
        return np.asarray(np.clip(chosen, first, first + rungs - 1))


def catalogue() -> Catalogue:
    """The one assortment of every sample shop."""
    kinds = [(category, kind, level) for category, names in _KINDS.items() for level, kind in enumerate(names)]
    rungs = len(_MAKES) * 5
    ladders = [np.geomspace(low, high, rungs) for low, high in zip(_CHEAPEST, _DEAREST, strict=True)]
    # Prices end in 5 cents below ten, in 90 cents above.
    prices = [np.where(ladder < 10, np.round(ladder * 20) * 5, np.floor(ladder) * 100 + 90) for ladder in ladders]
    price = np.concatenate(prices).astype(np.int32)
    levels = np.repeat([level for _, _, level in kinds], len(_MAKES))
    category = np.repeat(np.arange(len(_KINDS)), rungs).astype(np.uint8)
    margin = 0.35 + 0.03 * (np.arange(len(price)) % 7)
    return Catalogue(
        categories=tuple(_KINDS),
        names=tuple(f"{make} {kind}" for _, kind, _ in kinds for make in _MAKES),
        category=category,
        price=price,
        cost=np.round(price * (1 - margin)).astype(np.int32),
        warranty_days=np.array(_WARRANTY_DAYS, dtype=np.int32)[levels],
        lifespan_days=np.array(_LIFESPAN_DAYS, dtype=np.int32)[levels],
        ladder=np.asarray(category * float(_STEP) + price, dtype=np.float64),
        dearest=np.array([ladder[-1] for ladder in prices], dtype=np.float64),
    )
