"""The category that a customer's next order most probably contains, and how probably: by faded orders, shrunk towards the shop's.

share = (weight of the customer's orders with the category + strength × the shop's share) / (weight of all orders + strength), where
an order fades by half in `half_life_days`; the affinity is the share on the scale of log odds, moved and stretched to what
happened at a past cutoff.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log
from typing import Any

from models.purchases import Knowledge, categories_sql

CERTAIN = 1e-4
"""No share is held for nearer to 0 or 1."""

PARTS = 1_000_000
"""Weights are whole parts of an order, so that their sums do not depend on the order of addition."""


@dataclass(frozen=True)
class CategoryAffinity:
    """What turns faded orders into a probability. The defaults are what serves where nothing could be learned: the share itself."""

    half_life_days: float = 365.0
    strength: float = 2.0
    shift: float = 0.0
    slope: float = 1.0

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> CategoryAffinity:
        described: Mapping[str, Any] = json.loads(content)
        return cls(**described)

    def favourites_sql(self, known: Knowledge) -> str:
        """A query of customer_id, favourite_category, category_affinity: one row for each customer who bought of a category."""
        weights = weights_sql(known, f"({categories_sql(known)})", self.half_life_days)
        share = f"least(greatest((weight + {self.strength} * shop_share) / (total + {self.strength}), {CERTAIN}), {1 - CERTAIN})"
        return f"""
            select customer_id, category as favourite_category,
                1 / (1 + exp(-({self.shift} + {self.slope} * ln(share / (1 - share))))) as category_affinity
            from (
                select customer_id, category, share,
                    row_number() over (partition by customer_id order by share desc, category) as place
                from (select customer_id, category, {share} as share from ({weights}) as weights) as shares
            ) as ranked
            where place = 1
        """


def weights_sql(known: Knowledge, days: str, half_life_days: float) -> str:
    """A query of customer_id, category, weight, total, shop_share: one row for each customer and category bought of.

    An order is a day on which the customer bought; it weighs 1 on the date and half as much `half_life_days` before.

    Args:
        days: a table, or a query in brackets, as `categories_sql` has it.
    """
    fading = f"cast(round({PARTS} * exp({-log(2) / half_life_days} * cast({known.day} - ordered_day as double precision))) as bigint)"
    return f"""
        with bought as (select * from {days} as days),
        of_category as (
            select customer_id, category, sum({fading}) as weight from bought group by customer_id, category
        ),
        of_all as (
            select customer_id, sum({fading}) as weight
            from (select distinct customer_id, ordered_day from bought) as days
            group by customer_id
        ),
        of_shop as (
            select category, cast(sum(weight) as double precision) / (select cast(sum(weight) as double precision) from of_all) as share
            from of_category
            group by category
        )
        select of_category.customer_id, of_category.category,
            cast(of_category.weight as double precision) / {PARTS} as weight,
            cast(of_all.weight as double precision) / {PARTS} as total,
            of_shop.share as shop_share
        from of_category
        inner join of_all on of_category.customer_id = of_all.customer_id
        inner join of_shop on of_category.category = of_shop.category
    """
