"""Customers drawn by a hash: the same ones wherever they are drawn, on every engine."""

from __future__ import annotations

STEPS = 16**6


def sampled(most: int, count: int) -> str:
    """The condition on customer_id that draws about `most` of so many customers."""
    return "1 = 1" if count <= most else f"substr(md5(customer_id), 1, 6) < '{int(STEPS * most / count):06x}'"
