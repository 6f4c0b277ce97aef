"""The segment catalogue as a table of the warehouse, for one as_of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa

from regulars.segment import Segment
from regulars.warehouse import Warehouse

HEX_DIGITS = 8
"""Of the hash of person and segment that are held against `control_below`."""

COLUMNS = (
    "segment varchar, membership varchar, channel varchar, priority bigint, quiet_since date, expires_on date, size_cap bigint, "
    "control_below varchar, offer varchar, valid_until date"
)
TYPES = {"varchar": pa.string(), "bigint": pa.int64(), "date": pa.date32()}
ENDLESS = 2**62


def load_catalogue(warehouse: Warehouse, segments: Sequence[Segment], as_of: date) -> None:
    """Make the temporary table `catalogue`: one row per segment; `expires_on` is that of a transient membership that begins now."""
    rows = [
        {
            "segment": one.name,
            "membership": one.membership,
            "channel": one.channel,
            "priority": one.priority,
            "quiet_since": as_of - timedelta(days=one.cool_down_days),
            "expires_on": as_of + timedelta(days=one.held_days - 1) if one.held_days is not None else None,
            "size_cap": one.size_cap or ENDLESS,
            "control_below": f"{round(one.control_share * 16**HEX_DIGITS):0{HEX_DIGITS}x}",
            "offer": one.offer,
            "valid_until": as_of + timedelta(days=one.offer_valid_days),
        }
        for one in segments
    ]
    types = [column.split() for column in COLUMNS.split(", ")]
    warehouse.create_temporary("catalogue", f"({COLUMNS})")
    warehouse.append_temporary("catalogue", pa.Table.from_pylist(rows, schema=pa.schema([(name, TYPES[type]) for name, type in types])))
