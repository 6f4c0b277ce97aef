"""A shop whose customers do what was said until a day, and another thing from then on; each night sees what has come of a past one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from regulars import tables
from regulars.home import Home
from regulars.tables import CUSTOMER_SCORES
from regulars.warehouse import open_warehouse

CHURN_DAYS, VALUE_DAYS = 60, 120
FIRST_NIGHT = date(2024, 1, 1)
AS_ORDERS = tables.Table("intermediate", "int_as_of_orders", "One row per order.", (), (), "dbt")


def turning_home(folder: Path) -> Home:
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "shop.yml").write_text("name: Turning\ntime_zone: Europe/London\ncurrency: EUR\n")
    (folder / "config" / "prediction.yml").write_text(f"churn_horizon_days: {CHURN_DAYS}\nvalue_horizon_days: {VALUE_DAYS}\n")
    return Home.at(folder)


def fill(home: Home, nights: Sequence[date], turn: date, factor: float, customers: int = 1_500, seed: int = 4) -> Home:
    """Scores of every night, and for each the orders that it knows; from `turn` on customers order `factor` times as likely as was said."""
    draw = np.random.default_rng(seed)
    ids = [f"c{number:05}" for number in range(customers)]
    order = 1 - draw.beta(2.0, 2.0, customers)
    spend = draw.lognormal(3.5, 0.5, customers)
    # One order at most in each stretch of a churn horizon, so that the horizon of a night that begins a stretch is just that.
    stretches = [nights[0] + timedelta(days=CHURN_DAYS * number) for number in range((nights[-1] - nights[0]).days // CHURN_DAYS + 1)]
    placed = [(day, draw.random(customers) < order * (factor if day >= turn else 1.0)) for day in stretches]
    with open_warehouse(home) as warehouse:
        warehouse.execute("create schema if not exists intermediate")
        columns = "as_of_date date, customer_id varchar, ordered_day bigint, net_revenue decimal(18, 4)"
        warehouse.execute(f"create table intermediate.int_as_of_orders ({columns})")
        warehouse.execute("create table intermediate.int_account_persons (account_id varchar, customer_id varchar)")
        persons = tables.Table("intermediate", "int_account_persons", "One row per account.", (), (), "dbt")
        warehouse.append(persons, pa.table({"account_id": ids, "customer_id": ids}))
        for night in nights:
            warehouse.execute(
                "insert into control.nights (as_of_date, known_until, run_id, config_hash, model_version) values (?, ?, '', '', 'm')",
                [night, night],
            )
            warehouse.append(CUSTOMER_SCORES, _scores(night, ids, 1 - order, order * spend * VALUE_DAYS / CHURN_DAYS))
            for day, has_ordered in placed:
                if day < night:
                    chosen = np.flatnonzero(has_ordered)
                    warehouse.append(AS_ORDERS, _orders(night, day, [ids[one] for one in chosen], spend[chosen]))
    return home


def _scores(night: date, ids: Sequence[str], churn: np.ndarray, value: np.ndarray) -> pa.Table:
    count = len(ids)
    return pa.table(
        {
            "customer_id": ids,
            "as_of_date": [night] * count,
            "churn_probability": churn,
            "churn_horizon_days": [CHURN_DAYS] * count,
            "expected_value": value,
            "value_horizon_days": [VALUE_DAYS] * count,
            "value_at_risk": churn * value,
            "value_q50": value * 0.5,
            "value_q80": value * 1.5,
            "value_q90": value * 2.0,
            "currency": ["EUR"] * count,
            "model_version": ["m"] * count,
            "scored_by": ["blend"] * count,
        }
    )


def _orders(night: date, day: date, ids: Sequence[str], spend: np.ndarray) -> pa.Table:
    ordered_day = (day - date(1970, 1, 1)).days
    amounts = pa.array(np.round(spend, 2)).cast(pa.decimal128(18, 4), safe=False)
    return pa.table({"as_of_date": [night] * len(ids), "customer_id": ids, "ordered_day": [ordered_day] * len(ids), "net_revenue": amounts})
