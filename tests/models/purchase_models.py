"""Buy-till-you-die models and order histories for tests."""

import numpy as np
from hypothesis import strategies as st

from models.buy_till_you_die import (
    BgNbd,
    MbgNbd,
    OrderHistories,
    ParetoNbd,
    PurchaseModel,
)

MODELS: list[PurchaseModel] = [
    BgNbd(0.243, 4.414, 0.793, 2.426),
    MbgNbd(0.525, 6.183, 0.891, 1.614),
    ParetoNbd(0.553, 10.578, 0.606, 11.669),
]
KINDS = [BgNbd, MbgNbd, ParetoNbd]
WEEKS = 39.0

positive = st.floats(0.05, 20.0)


@st.composite
def histories(draw: st.DrawFn, most_repeats: int = 40) -> OrderHistories:
    rows = draw(st.lists(st.tuples(st.integers(0, most_repeats), st.floats(0.01, 1.0), st.floats(0.5, 200.0)), min_size=1, max_size=6))
    x, share, age = np.array(rows, dtype=np.float64).T
    weights = draw(st.lists(st.floats(0.5, 9.0), min_size=len(x), max_size=len(x)))
    return OrderHistories.of(x, np.where(x > 0, share * age, 0.0), age, weights)


@st.composite
def purchase_models(draw: st.DrawFn) -> PurchaseModel:
    return draw(st.sampled_from(KINDS))(*(draw(positive) for _ in range(4)))
