import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from regulars.id_lists import IDS_PER_LIST, id_lists, one_by_one
from regulars.state import State

EARLY = """
create table control_arms (
    person text not null, segment text not null, arm text not null, assigned_on text not null, primary key (person, segment)
);
create table ledger (
    position integer primary key autoincrement, destination text not null, segment text not null, customer_id text not null,
    action text not null, content_hash text not null, plan_sha256 text not null, as_of_date text not null
);
create index ledger_by_list on ledger (destination, segment, customer_id, position);
insert into control_arms values ('a', 'loyal', 'control', '2025-07-01'), ('b', 'loyal', 'treatment', '2025-07-01');
insert into ledger (destination, segment, customer_id, action, content_hash, plan_sha256, as_of_date) values
    ('tool', 'loyal', 'a', 'enter', '', 'p1', '2025-07-01'), ('tool', 'loyal', 'b', 'enter', '', 'p1', '2025-07-01'),
    ('tool', '', 'a', 'update', 'h1', 'p1', '2025-07-01'), ('tool', 'loyal', 'a', 'leave', '', 'p2', '2025-07-02');
"""


def test_an_early_state_keeps_what_it_knows(tmp_path: Path) -> None:
    file = tmp_path / "var" / "state" / "state.sqlite"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as early:
        early.executescript(EARLY)
    for _ in range(2):
        with State(file).connection() as connection:
            entries = connection.execute("select customer_id, action, plan_sha256 from ledger_entries order by position, customer_id")
            assert [tuple(row) for row in entries] == [("a", "enter", "p1"), ("b", "enter", "p1"), ("a", "leave", "p2")]
            assert [tuple(row) for row in connection.execute("select customer_id, content_hash from sent_contacts")] == [("a", "h1")]
            arms = one_by_one(connection.execute("select arm, persons from control_arms order by arm"), ("arm", "person"))
            assert arms.to_pydict() == {"arm": ["control", "treatment"], "person": ["a", "b"]}


def test_ids_come_back_from_their_lists() -> None:
    ids = pa.chunked_array([[f'"ü{number}\n' for number in range(IDS_PER_LIST + 1)]])
    rows = [("loyal", count, text) for count, text in id_lists(ids)]
    back = one_by_one(rows, ("segment", "count", "customer_id"))
    assert len(rows) == 2
    assert back["customer_id"].to_pylist() == ids.to_pylist()
    assert set(back["count"].to_pylist()) == {IDS_PER_LIST, 1}
