"""An online shop that never was, with known truth: customers whose latent rates, dropouts and futures are all on record.

`simulate` lets a whole shop happen; `Shop.export` writes what its nightly export would hold, in plain files such as a
source reads; `Shop.write_truth`, `expected_outcomes` and `actual_outcomes` say what a perfect prediction could know.
"""

from regulars.sample_shop.export import ExportCounts
from regulars.sample_shop.parameters import ShopParameters
from regulars.sample_shop.shop import Shop, simulate
from regulars.sample_shop.truth import actual_outcomes, expected_outcomes, truth_of

__all__ = ["ExportCounts", "Shop", "ShopParameters", "actual_outcomes", "expected_outcomes", "simulate", "truth_of"]
