"""What DuckDB is not to compress, for time."""

from __future__ import annotations

UNCOMPRESSED = (
    "record_key",
    "content_hash",
    "order_id",
    "line_id",
    "refund_id",
    "account_id",
    "customer_id",
    "email",
    "normalised_email",
)
"""Texts that hardly repeat within a table or a slice of it: to look for what they have in common took half of a landing, and who
reads them pays again. Without it a landed row takes some 45 bytes more on disk, and a row by customer some 10."""


def declared(name: str, type: str, *, nullable: bool = True) -> str:
    """The column as `create table` has it."""
    compression = " using compression uncompressed" if name.strip('"') in UNCOMPRESSED else ""
    return f"{name} {type}{'' if nullable else ' not null'}{compression}"
