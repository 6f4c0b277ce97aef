"""Control groups: who is left alone in a segment, so that its uplift can be measured.

The arm of a person in a segment is a salted hash of both, so it is random, and stored at first sight, so it is kept
for ever: a changed control_share changes only who is seen later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from regulars.segment import Segment
from regulars.state import State, home_key
from regulars.warehouse import Warehouse

HEX_DIGITS = 8


def load_control_arms(warehouse: Warehouse, state: State, segments: Sequence[Segment], as_of: date, *, are_stored: bool) -> None:
    """Make the temporary table `control_arms` (customer_id, segment, arm) for all matches of the night.

    Those of persons seen for the first time are stored, unless they are only tried: a rebuilt night assigns nobody.
    """
    with state.transaction() as connection:
        salt = home_key(connection, "control_salt")
        known = connection.execute("select person, segment, arm from control_arms").fetchall()
        warehouse.create_temporary("control_arms", "(customer_id varchar, segment varchar, arm varchar)")
        if known:
            warehouse.append_temporary("control_arms", _arms_table([tuple(row) for row in known]))
        new: list[tuple[str, str, str]] = []
        for segment in segments:
            threshold = f"{round(segment.control_share * 16**HEX_DIGITS):0{HEX_DIGITS}x}"
            new += warehouse.rows(
                f"""
                select matches.customer_id, matches.segment,
                    case
                        when substr(md5(concat(?, ':', matches.segment, ':', matches.customer_id)), 1, {HEX_DIGITS}) < ? then 'control'
                        else 'treatment'
                    end as arm
                from segments.segment_matches as matches
                left join control_arms using (customer_id, segment)
                where matches.as_of_date = ? and matches.segment = ? and control_arms.arm is null
                order by matches.customer_id
                """,
                [salt, threshold, as_of, segment.name],
            )
        if new:
            if are_stored:
                connection.executemany("insert into control_arms values (?, ?, ?, ?)", [(*row, as_of.isoformat()) for row in new])
            warehouse.append_temporary("control_arms", _arms_table(new))


def _arms_table(rows: Sequence[tuple[str, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("customer_id", "segment", "arm"), map(pa.array, columns), strict=True)))
