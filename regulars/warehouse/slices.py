"""A table's slices, replaced whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from regulars.errors import RegularsError
from regulars.tables import Table
from regulars.warehouse.warehouse import Warehouse


def replace_slice(warehouse: Warehouse, table: Table, value: Any, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
    """As `Warehouse.replace_slice`, for every engine."""
    if not table.slice_by:
        raise RegularsError(f"{table.qualified_name} has no slices to replace")
    written = 0
    with warehouse.transaction():
        warehouse.execute(f"delete from {table.qualified_name} where {table.slice_by} = ?", [value])
        for batch in batches:
            warehouse.append(table, batch)
            written += batch.num_rows
    return written
