"""One thread for linear algebra: how a sum is split over threads decides its last bits, and a training must repeat on any machine."""

from __future__ import annotations

from contextlib import AbstractContextManager

import scipy.linalg  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import ThreadpoolController

_LIBRARIES = ThreadpoolController()


def on_one_thread() -> AbstractContextManager[object]:
    """Within it, matrices are multiplied and decomposed on one thread. Small ones, as ours, gain nothing by more."""
    limited: AbstractContextManager[object] = _LIBRARIES.limit(limits=1, user_api="blas")
    return limited
