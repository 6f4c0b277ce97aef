"""Control groups: who is left alone in a segment, so that its uplift can be measured.

The arm of a person in a segment is a salted hash of both, so it is random, and stored at first sight, so it is kept
for ever: a changed control_share changes only who is seen later.
"""

from __future__ import annotations

from datetime import date

from regulars.id_lists import id_lists, one_by_one
from regulars.state import State, home_key
from regulars.warehouse import Warehouse
from scoring.catalogue import HEX_DIGITS


def load_control_arms(warehouse: Warehouse, state: State, as_of: date, *, are_stored: bool) -> None:
    """Make the temporary table `control_arms` (customer_id, segment, arm) for all matches of the night.

    Those of persons seen for the first time are stored, unless they are only tried: a rebuilt night assigns nobody.
    """
    with state.transaction() as connection:
        salt = home_key(connection, "control_salt")
        known = one_by_one(connection.execute("select segment, arm, persons from control_arms"), ("segment", "arm", "customer_id"))
        warehouse.create_temporary("control_arms", "(customer_id varchar, segment varchar, arm varchar)")
        warehouse.append_temporary("control_arms", known)
        warehouse.create_temporary(
            "new_arms",
            f"""
            as
            select matches.customer_id, matches.segment,
                case
                    when substr(md5(concat(cast(? as varchar), ':', matches.segment, ':', matches.customer_id)), 1, {HEX_DIGITS})
                        < catalogue.control_below then 'control'
                    else 'treatment'
                end as arm
            from segments.segment_matches as matches
            inner join catalogue on matches.segment = catalogue.segment
            left join control_arms on matches.customer_id = control_arms.customer_id and matches.segment = control_arms.segment
            where matches.as_of_date = ? and control_arms.arm is null
            """,
            [salt, as_of],
        )
        if are_stored:
            for segment, arm in warehouse.rows("select distinct segment, arm from new_arms order by segment, arm"):
                persons = warehouse.arrow(
                    "select customer_id from new_arms where segment = ? and arm = ? order by customer_id", [segment, arm]
                )
                connection.executemany(
                    "insert into control_arms values (?, ?, ?, ?)",
                    ((segment, arm, as_of.isoformat(), ids) for _, ids in id_lists(persons["customer_id"])),
                )
        warehouse.execute("insert into control_arms (customer_id, segment, arm) select customer_id, segment, arm from new_arms")
