"""A text as SQL writes it, where no parameter can stand."""

from __future__ import annotations


def literal(text: str) -> str:
    """The text between quotes."""
    return "'" + text.replace("'", "''") + "'"
