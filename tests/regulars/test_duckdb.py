import weakref
from pathlib import Path

import pyarrow as pa

from regulars.home import Home
from regulars.warehouse import open_warehouse

COLUMNS = ("customer_id", "segment", "arm")


def test_nothing_appended_first_loses_nothing_that_follows(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "warehouse.yml").write_text("engine: duckdb\n")
    with open_warehouse(Home.at(tmp_path)) as warehouse, warehouse.transaction():
        warehouse.create_temporary("arms", "(customer_id varchar, segment varchar, arm varchar)")
        warehouse.append_temporary("arms", pa.table({name: pa.array([], pa.string()) for name in COLUMNS}))
        warehouse.create_temporary("new", "as select range::varchar as customer_id, 's' as segment, 'a' as arm from range(200000)")
        warehouse.execute("insert into arms (customer_id, segment, arm) select customer_id, segment, arm from new")
        assert warehouse.rows("select segment, arm, count(*) from arms group by 1, 2") == [("s", "a", 200_000)]


def test_what_is_appended_is_held_no_longer_than_that(tmp_path: Path) -> None:
    """A night's transaction appends more than memory holds."""
    with open_warehouse(Home(tmp_path)) as warehouse, warehouse.transaction():
        warehouse.create_temporary("filled", "(id bigint, name varchar)")
        held = []
        for number in range(3):
            rows = pa.table({"id": [number] * 1000})
            held.append(weakref.ref(rows))
            warehouse.append_temporary("filled", rows)
            del rows
        assert [one() for one in held] == [None] * 3
        assert warehouse.rows("select count(*), count(name), sum(id) from filled") == [(3000, 0, 3000)]
