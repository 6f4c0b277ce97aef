"""A past night comes out byte for byte, whatever was learned, edited, merged, withdrawn or configured since, and changes nothing."""

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import boosting
from models.train import train
from quality.acceptance import accept
from regulars.errors import InputError
from regulars.home import Home
from regulars.rebuilds import past_days, rebuilt_night
from regulars.run import close_run, resume_run
from regulars.sample_shop_home import export_sample_shop
from regulars.state import State
from regulars.tables import all_tables
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import connect
from tests.night.conftest import CUSTOMERS, FIRST_NIGHT, SECOND_NIGHT, RunDag, tree

UNTOUCHED = [table for table in all_tables() if table.schema in ("scores", "segments", "activation", "quality", "raw", "private")]
UNTOUCHED += [table for table in all_tables() if table.qualified_name in ("control.nights", "features.customer_features")]


def tables(home: Home) -> dict[str, tuple[Any, ...]]:
    """Every table that a later night or a person looks at, as a count and an order-free sum over its rows' hashes."""
    with open_warehouse(home) as warehouse:
        return {
            table.qualified_name: warehouse.rows(f"select count(*), sum(hash(t)) from {table.qualified_name} as t")[0]
            for table in UNTOUCHED
            if warehouse.exists(table)
        }


def state(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must never change because the past was looked at."""
    with State(home.state).connection() as connection:
        names = ("control_arms", "plans", "ledger", "sent_contacts", "decisions", "pins", "tool_lists", "gate_stops", "refusals")
        names += ("sent_nights", "home_keys")
        return {name: [tuple(row) for row in connection.execute(f"select * from {name} order by 1, 2").fetchall()] for name in names}


def members(home: Home, segment: str, day: date) -> list[str]:
    with open_warehouse(home) as warehouse:
        sql = "select customer_id from segments.segment_memberships where segment = ? and as_of_date = ? order by customer_id"
        return [row[0] for row in warehouse.rows(sql, [segment, day])]


def bring_late_facts(home: Home) -> None:
    """Edits, refunds, withdrawals, new addresses, merged persons and back-dated orders, of customers on the lists of the first night."""
    folder = home.var / "sample_shop"
    with open_warehouse(home) as warehouse:
        listed = warehouse.rows(
            "select distinct customer_id from segments.segment_memberships"
            " where contact_permission = 'granted' and customer_id not like 'guest%' order by 1 limit 40"
        )
    accounts = [row[0] for row in listed]
    assert len(accounts) == 40
    with connect() as database:
        database.execute("create table late (account_id varchar, number bigint)")
        database.executemany("insert into late values (?, ?)", list(zip(accounts, range(40), strict=True)))

        def rewrite(file: str, *statements: str) -> None:
            database.execute(f"create or replace table facts as select * from '{folder / file}'")
            for statement in statements:
                database.execute(statement)
            options = "(format parquet)" if file.endswith("parquet") else "(header)"
            database.execute(f"copy facts to '{folder / file}' {options}")

        late = "cast(account_id as varchar) in (select account_id from late where number {})"
        rewrite(
            "customers.csv",
            f"update facts set email = 'moved.' || email where {late.format('< 10')}",
            f"update facts set email = 'family@example.com' where {late.format('between 10 and 13')}",
        )
        rewrite(
            "consents.csv",
            "insert into facts by name select cast(account_id as bigint) as account_id, 'email' as channel, 'denied' as status,"
            f" timestamp '{FIRST_NIGHT} 12:00:00' as changed_at from late where number between 14 and 20",
        )
        rewrite(
            "orders.parquet",
            f"update facts set net_revenue = net_revenue + 3 where {late.format('between 21 and 25')}",
            f"update facts set ordered_at = ordered_at - interval 3 day where {late.format('between 26 and 28')}",
            "insert into facts by name select 'late-' || order_id as order_id, * exclude (order_id) replace"
            f" (timestamp '{FIRST_NIGHT}' - interval 3 day as ordered_at) from facts where {late.format('between 29 and 33')}",
        )
        rewrite(
            "refunds.parquet",
            "insert into facts by name select 'late-' || order_id as refund_id, order_id, net_revenue as amount, currency,"
            f" timestamp '{FIRST_NIGHT}' - interval 2 day as refunded_at from '{folder}/orders.parquet'"
            f" where {late.format('between 34 and 39')}",
        )


def change_what_the_shop_wants(home: Home) -> None:
    for file in (home.config / "segments").glob("*.yml"):
        segment = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(segment | {"offer": "Something else"}))


def accept_findings(home: Home) -> None:
    """What a person does who knows why the data are odd."""
    with State(home.state).connection() as connection:
        told = connection.execute("select summary from steps where step = 'check raw' and status = 'failed'").fetchone()[0]
    accept(home, re.findall(r"quality accept (\w+)", told)[0])


def test_a_past_night_comes_out_byte_for_byte_and_nothing_else_changes(
    home: Home, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_sample_shop(home, SECOND_NIGHT, CUSTOMERS)
    bring_late_facts(home)
    change_what_the_shop_wants(home)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "failed", "so many late facts look like an accident"
    accept_findings(home)
    assert run_dag("retention_nightly", SECOND_NIGHT) == "success"
    with open_warehouse(home) as warehouse:
        moved = warehouse.rows("select sum(entered_count), sum(left_count) from activation.syncs where as_of_date = ?", [SECOND_NIGHT])[0]
        total = warehouse.rows("select count(*) from segments.segment_memberships where as_of_date = ?", [SECOND_NIGHT])[0][0]
        changed = warehouse.rows("select count(*) from raw.orders where order_id like 'late-%' and known_at > ?", [FIRST_NIGHT])[0][0]
    assert 0 < sum(moved) < 0.3 * total
    assert changed > 0
    assert (home.lists / "latest").resolve().name == SECOND_NIGHT.isoformat()
    # The training is repeated with what is known now: another model has its place, and must not score the past.
    monkeypatch.setattr(boosting, "LEARNING_RATE", 0.3)  # a third of the rounds
    train(home, FIRST_NIGHT)
    close_run(resume_run(home, "training", FIRST_NIGHT))
    shutil.rmtree(home.var / "sample_shop")  # a rebuild does not read the sources

    before = tree(home.lists), tables(home), state(home), home.published_warehouse.read_bytes()
    never = FIRST_NIGHT - timedelta(days=3)
    for day in (FIRST_NIGHT, never):
        assert run_dag("retention_backfill", day) == "success"
    assert tree(home.rebuilds / FIRST_NIGHT.isoformat()) == tree(home.lists / FIRST_NIGHT.isoformat())
    assert json.loads((home.rebuilds / never.isoformat() / "manifest.json").read_text())["as_of"] == never.isoformat()
    lists, contents, of_state, published = before
    assert (tree(home.lists), state(home), home.published_warehouse.read_bytes()) == (lists, of_state, published)
    features = "features.customer_features"  # has gained the day that had no night
    assert {**tables(home), features: None} == {**contents, features: None}


def test_a_night_that_cannot_be_rebuilt_says_why(home: Home, run_dag: RunDag) -> None:
    with pytest.raises(InputError, match="not later than that"), rebuilt_night(home, SECOND_NIGHT):
        pass
    with pytest.raises(InputError, match=f"the latest night sent is that of {FIRST_NIGHT}"):
        past_days(home, FIRST_NIGHT, SECOND_NIGHT)
    (home.config / "quality.yml").write_text("")
    shutil.rmtree(home.configurations)
    with pytest.raises(InputError, match="the configuration of that night"), rebuilt_night(home, FIRST_NIGHT):
        pass
    assert not Path(home.rebuilds).exists()
