"""What a plan must know of the nights before: the ledger, as tables."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Memory:
    """What the ledger remembers of a destination.

    `sent`: customer_id, content_hash last sent. `refused`: customer_id that the tool refused this very night; tried again
    the next night. `left`: segment, customer_id, as_of_date of those taken off a list lately. `entered`: segment, customers
    put on it lately.
    """

    sent: pa.Table
    refused: pa.Table
    left: pa.Table
    entered: pa.Table


def _empty(**types: pa.DataType) -> pa.Table:
    return pa.schema(list(types.items())).empty_table()


NO_MEMORY = Memory(
    sent=_empty(customer_id=pa.string(), content_hash=pa.string()),
    refused=_empty(customer_id=pa.string()),
    left=_empty(segment=pa.string(), customer_id=pa.string(), as_of_date=pa.date32()),
    entered=_empty(segment=pa.string(), customers=pa.int64()),
)
