"""Integrals that buy-till-you-die models need, by Gaussian quadrature of positive integrands: no cancellation, no overflow.

The textbook forms use differences of hypergeometric functions, which lose all digits for customers with many orders and
for nearly equal rates. The integrals that these functions stand for are smooth, and a few dozen nodes give them to about
ten digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prediction import Figures

LEGENDRE_NODES, LEGENDRE_WEIGHTS = (np.asarray(part) / 2.0 for part in np.polynomial.legendre.leggauss(32))
UNIT_NODES = LEGENDRE_NODES + 0.5
ROWS_AT_ONCE = 8192
"""Rows of nodes that stay in a processor's cache."""

NEGLIGIBLE_EXPONENT = 38.0
"""exp(−38) is below the precision of the sum."""


@dataclass(frozen=True)
class DecayIntegral:
    """I = ∫ (1 + u/a)^−m (1 + u/b)^−n du over [0, length], and means of u's functions under the integrand; each shape (rows,)."""

    log_value: Figures
    mean_log_a: Figures
    """Mean of log(1 + u/a)."""
    mean_log_b: Figures
    mean_inverse_a: Figures
    """Mean of 1 / (a + u)."""
    mean_inverse_b: Figures


def decay_integral(a: Figures, m: Figures, b: Figures, n: Figures, length: Figures) -> DecayIntegral:
    """The integral of two power laws with different origins, a, b > 0, m, n > 0, length ≥ 0; all of shape (rows,).

    Of length 0 it has log value −inf and the means at u = 0.
    """
    parts = np.empty((5, len(a)))
    for rows in _slices(len(a)):
        u, log_a, log_b, mass, parts[0, rows] = _decay_nodes(a[rows], m[rows], b[rows], n[rows], length[rows])
        mass /= mass.sum(axis=1, keepdims=True)
        of_which = (log_a, log_b, 1.0 / (a[rows, None] + u), 1.0 / (b[rows, None] + u))
        for index, values in enumerate(of_which, start=1):
            parts[index, rows] = np.einsum("ij,ij->i", mass, values)
    return DecayIntegral(*parts)


def log_decay_integral(a: Figures, m: Figures, b: Figures, n: Figures, length: Figures) -> Figures:
    """The `log_value` of `decay_integral` alone, in half the time; shape (rows,)."""
    log_value = np.empty(len(a))
    for rows in _slices(len(a)):
        log_value[rows] = _decay_nodes(a[rows], m[rows], b[rows], n[rows], length[rows])[-1]
    return log_value


def _slices(rows: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE)]


def _decay_nodes(a: Figures, m: Figures, b: Figures, n: Figures, length: Figures) -> tuple[Figures, Figures, Figures, Figures, Figures]:
    """u, log(1 + u/a), log(1 + u/b) and the integrand's relative mass, each (rows, nodes), and the integral's logarithm, (rows,)."""
    a, m, b, n = a[:, None], m[:, None], b[:, None], n[:, None]
    nearest = np.minimum(a, b)
    reach = _relevant_log_length(a, m, b, n, nearest, length[:, None])
    v = reach * UNIT_NODES
    u = nearest * np.expm1(v)
    log_a, log_b = np.log1p(u / a), np.log1p(u / b)
    exponent = v - m * log_a - n * log_b
    top = exponent.max(axis=1, keepdims=True)
    mass = np.exp(exponent - top)
    mass *= LEGENDRE_WEIGHTS
    with np.errstate(divide="ignore"):
        log_value = np.log(mass.sum(axis=1)) + (top + np.log(nearest * reach))[:, 0]
    return u, log_a, log_b, mass, log_value


def _relevant_log_length(a: Figures, m: Figures, b: Figures, n: Figures, nearest: Figures, length: Figures) -> Figures:
    """Where to stop in v = log(1 + u/nearest): at the end, or before, where the integrand has fallen to nothing.

    In v the integrand's logarithm is concave and all its singularities lie π away from the real axis, whatever a and b
    are: that is why the nodes stand in v. Newton's steps start beyond the point and come down to it.
    """
    bound = np.minimum(length, np.minimum(a * np.expm1(np.minimum(60.0 / m, 300.0)), b * np.expm1(np.minimum(60.0 / n, 300.0))))
    v = np.log1p(bound / nearest)
    for _ in range(4):
        u = nearest * np.expm1(v)
        fall = m * np.log1p(u / a) + n * np.log1p(u / b) - v
        slope = (m / (a + u) + n / (b + u)) * (nearest + u) - 1.0
        is_beyond = (fall > NEGLIGIBLE_EXPONENT) & (slope > 0)
        v = v - np.where(is_beyond, (fall - NEGLIGIBLE_EXPONENT) / np.where(is_beyond, slope, 1.0), 0.0)
    return v


def beta_rule(a: float, b: Figures, nodes_count: int) -> tuple[Figures, Figures]:
    """Gauss–Jacobi nodes and weights for the mean over Beta(a, b), each of shape (len(b), nodes_count).

    Source: G. Golub and J. Welsch (1969), Calculation of Gauss Quadrature Rules: eigenvalues of the tridiagonal matrix of
    the recurrence of Jacobi's polynomials, here moved to [0, 1] and normalised, so that b = 10,000 overflows nowhere.
    """
    k = np.arange(nodes_count, dtype=np.float64)
    beta, alpha = a - 1.0, b[:, None] - 1.0
    total = 2.0 * k + alpha + beta
    with np.errstate(divide="ignore", invalid="ignore"):
        diagonal = 0.5 + 0.5 * (beta**2 - alpha**2) / (total * (total + 2.0))
        squared = k * (k + alpha) * (k + beta) * (k + alpha + beta) / (total**2 * (total + 1.0) * (total - 1.0))
    diagonal[:, 0] = a / (a + b)
    squared[:, 1] = a * b / ((a + b) ** 2 * (a + b + 1.0))
    off_diagonal = np.sqrt(squared[:, 1:])
    matrix = np.zeros((len(b), nodes_count, nodes_count))
    index = np.arange(nodes_count)
    matrix[:, index, index] = diagonal
    matrix[:, index[1:], index[:-1]] = off_diagonal
    nodes, vectors = np.linalg.eigh(matrix, UPLO="L")
    return np.clip(nodes, 0.0, 1.0), vectors[:, 0, :] ** 2


def mean_orders_until_dropout(a: float, b: Figures, shape: Figures, relative_horizon: Figures, position: NDArray[np.intp]) -> Figures:
    """Mean of (1 − (1 + p y)^−shape) / p over p ~ Beta(a, b), the orders within y of one who drops out with p after each; shape (rows,).

    Args:
        b: distinct second parameters, shape (distinct,).
        shape: shape of the gamma law of the order rate, shape (rows,).
        relative_horizon: horizon over the rate's scale, y, shape (rows,).
        position: the row's place in `b`, shape (rows,).
    """
    result = np.zeros(len(shape))
    if len(shape) == 0:
        return result
    # 32 nodes give ten digits up to a horizon of four times the history. A newcomer's long horizon takes more: 64 nodes give
    # eight digits up to thirty times, and three where the rate is known from thousands of orders besides.
    for nodes_count, rows in ((32, np.flatnonzero(relative_horizon <= 4.0)), (64, np.flatnonzero(relative_horizon > 4.0))):
        if len(rows) == 0:
            continue
        used, place = np.unique(position[rows], return_inverse=True)
        nodes, weights = beta_rule(a, b[used], nodes_count)
        nodes = np.maximum(nodes, 1e-300)
        rates = weights / nodes
        for part in _slices(len(rows)):
            row, at = rows[part], place[part]
            orders = -np.expm1(-shape[row, None] * np.log1p(nodes[at] * relative_horizon[row, None]))
            result[row] = np.einsum("ij,ij->i", orders, rates[at])
    return result
