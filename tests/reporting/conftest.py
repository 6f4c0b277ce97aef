"""A home whose warehouse holds two nights of a plausible shop, written through the contracts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.hindcast import Hindcast, Said
from regulars import tables
from regulars.home import Home
from regulars.warehouse import Warehouse, open_warehouse

ROOT = Path(__file__).resolve().parents[2]
TONIGHT = date(2025, 7, 1)
LAST_NIGHT = TONIGHT - timedelta(days=1)
EPOCH = date(1970, 1, 1)
MODEL = "2025-06-24-3f9c"

SHARES = {
    "at_risk_and_valuable": 0.05,
    "win_back": 0.08,
    "second_order_nudge": 0.14,
    "new_customers": 0.03,
    "loyal": 0.11,
    "dormant": 0.32,
}
"""Segment → share of the customers on its list."""


@pytest.fixture
def empty_home(tmp_path: Path) -> Home:
    """A home with a catalogue and an empty warehouse."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "shop.yml").write_text("name: Tea & Sons <Ltd>\ntime_zone: Europe/Berlin\ncurrency: EUR\n")
    (config / "prediction.yml").write_text("churn_horizon_days: 90\nvalue_horizon_days: 365\n")
    shutil.copytree(ROOT / "config" / "segments", config / "segments")
    return Home.at(tmp_path)


@pytest.fixture(scope="session")
def filled_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "config").mkdir()
    home = Home.at(folder)
    fill(home)
    return home.warehouse


@pytest.fixture
def home(empty_home: Home, filled_warehouse: Path) -> Home:
    empty_home.private_folder(empty_home.var)
    shutil.copy(filled_warehouse, empty_home.warehouse)
    return empty_home


def fill(home: Home, customers: int = 3_000, seed: int = 5) -> None:
    """Two nights of scores, lists, syncs and accounts, two and a half years of orders, an evaluated model, a passed gate."""
    draw = np.random.default_rng(seed)
    ids = [f"c{number:06d}" for number in range(customers)]
    with open_warehouse(home) as warehouse:
        for night in (LAST_NIGHT, TONIGHT):
            _append(
                warehouse,
                tables.NIGHTS,
                as_of_date=[night],
                known_until=[datetime.fromisoformat(f"{night}T01:12:00")],
                run_id=[f"night-{night}-1"],
                config_hash=["0" * 64],
                model_version=[MODEL],
            )
            _scores(warehouse, ids, night, draw)
        lists = _lists(warehouse, ids, draw)
        _reasons(warehouse, sorted({member for (night, _), members in lists.items() if night == TONIGHT for member in members}))
        _syncs(warehouse, lists)
        _accounts(warehouse)
        _model(warehouse)
        _orders(warehouse, ids, draw)
        _hindcasts(warehouse, draw)
        _append(
            warehouse,
            tables.GATE_RESULTS,
            as_of_date=[TONIGHT] * 3,
            gate=["raw", "features", "scores"],
            expectation=["rows: there are customers", "customers: one row per customer", "null share: a required column holds no null"],
            column_name=["", "", "orders_count"],
            is_met=[True] * 3,
            observed=["is 3,000, expected at least 1", "is 3,000, expected 3,000", "is 0, expected 0"],
        )


def _append(warehouse: Warehouse, table: tables.Table, **columns: Any) -> None:
    warehouse.append(table, pa.table(columns))


def _scores(warehouse: Warehouse, ids: list[str], night: date, draw: np.random.Generator) -> None:
    churn = np.clip(draw.beta(1.6, 0.9, len(ids)), 0.01, 0.99)
    value = draw.lognormal(3.6, 1.1, len(ids)) * (1.2 - churn)
    _append(
        warehouse,
        tables.CUSTOMER_SCORES,
        customer_id=ids,
        as_of_date=[night] * len(ids),
        churn_probability=churn,
        churn_horizon_days=[90] * len(ids),
        expected_value=value,
        value_horizon_days=[365] * len(ids),
        value_at_risk=churn * value * 0.6,
        currency=["EUR"] * len(ids),
        model_version=[MODEL] * len(ids),
        scored_by=["blend"] * len(ids),
    )


def _lists(warehouse: Warehouse, ids: list[str], draw: np.random.Generator) -> Mapping[tuple[date, str], set[str]]:
    permissions = draw.choice(["granted", "denied", "unknown"], len(ids), p=[0.62, 0.2, 0.18])
    permission = dict(zip(ids, permissions.tolist(), strict=True))
    lists: dict[tuple[date, str], set[str]] = {}
    for segment, share in SHARES.items():
        members = set(draw.choice(ids, int(len(ids) * share), replace=False).tolist())
        others = sorted(set(ids) - members)
        leavers = set(sorted(members)[: len(members) // 25])
        lists[LAST_NIGHT, segment] = members
        lists[TONIGHT, segment] = (members - leavers) | set(others[: len(members) // 18])
    for (night, segment), members in lists.items():
        ordered = sorted(members)
        _append(
            warehouse,
            tables.SEGMENT_MEMBERSHIPS,
            customer_id=ordered,
            as_of_date=[night] * len(ordered),
            segment=[segment] * len(ordered),
            entered_on=[LAST_NIGHT] * len(ordered),
            contact_permission=[permission[member] for member in ordered],
        )
    return lists


def _reasons(warehouse: Warehouse, members: list[str]) -> None:
    """Every second one is at risk, of whom silence is told always, and frequency and why they leave of every third."""
    is_at_risk = [number % 2 == 0 for number in range(len(members))]
    is_third = [number % 6 == 0 for number in range(len(members))]
    _append(
        warehouse,
        tables.CUSTOMER_REASONS,
        customer_id=members,
        as_of_date=[TONIGHT] * len(members),
        is_at_risk=is_at_risk,
        reason_1=["last ordered 71 days ago"] * len(members),
        concept_1=["silence"] * len(members),
        reason_2=["has ordered only once" if third else None for third in is_third],
        concept_2=["frequency" if third else None for third in is_third],
        likely_reason_for_leaving=[
            None if not risk else "dissatisfied" if third else "not_known" for risk, third in zip(is_at_risk, is_third, strict=True)
        ],
    )


def _syncs(warehouse: Warehouse, lists: Mapping[tuple[date, str], set[str]]) -> None:
    for segment in SHARES:
        before, tonight = lists[LAST_NIGHT, segment], lists[TONIGHT, segment]
        _append(
            warehouse,
            tables.SYNCS,
            as_of_date=[TONIGHT],
            destination=["lists"],
            segment=[segment],
            plan_sha256=["a" * 64],
            customers_count=[len(tonight) // 2],
            entered_count=[len(tonight - before)],
            left_count=[len(before - tonight)],
            held_back_count=[len(tonight) - len(tonight) // 2],
            rejected_count=[0],
        )


def _accounts(warehouse: Warehouse) -> None:
    _append(
        warehouse,
        tables.INGESTION_ACCOUNTS,
        run_id=[f"night-{LAST_NIGHT}-1", f"night-{LAST_NIGHT}-1", f"night-{TONIGHT}-1", f"night-{TONIGHT}-1", "night-2025-07-09-1"],
        source=["sample_shop"] * 5,
        table_name=["orders", "customers", "orders", "customers", "orders"],
        rows_read=[41_207, 20_311, 212, 96, 999_999],
        rows_loaded=[41_001, 20_301, 188, 96, 999_999],
        duplicates_merged=[0, 10, 20, 0, 0],
        rows_excluded=[199, 0, 4, 0, 0],
        rows_quarantined=[7, 0, 0, 0, 0],
    )
    _append(
        warehouse,
        tables.EXCLUSIONS,
        run_id=[f"night-{LAST_NIGHT}-1", f"night-{TONIGHT}-1", f"night-{LAST_NIGHT}-1"],
        source=["sample_shop"] * 3,
        table_name=["orders"] * 3,
        reason=["test order", "test order", "payment never arrived"],
        rows_excluded=[120, 4, 79],
    )


def _model(warehouse: Warehouse) -> None:
    predicted = np.linspace(0.08, 0.97, 10)
    _append(
        warehouse,
        tables.CALIBRATION_BINS,
        model_version=[MODEL] * 10,
        bin=list(range(1, 11)),
        customers_count=[241] * 10,
        predicted=predicted,
        actual=np.clip(predicted + np.array([0.02, 0.01, -0.03, 0.02, 0.04, -0.01, 0.01, -0.02, 0.0, 0.01]), 0, 1),
    )
    reached = {
        "blend": {"roc_auc": 0.824, "log_loss": 0.482, "top_tenth_share": 0.51, "mae": 61.2, "ece": 0.014, "gini": float("nan")},
        "formula": {"roc_auc": 0.761, "log_loss": 0.571, "top_tenth_share": 0.44, "mae": 84.9, "ece": 0.06},
        "rfm_cells": {"roc_auc": 0.79, "log_loss": 0.53, "top_tenth_share": 0.47, "mae": 70.3, "ece": 0.03},
    }
    for predictor, metrics in reached.items():
        _append(
            warehouse,
            tables.MODEL_EVALUATIONS,
            model_version=[MODEL] * len(metrics),
            as_of_date=[date(2025, 3, 26)] * len(metrics),
            predictor=[predictor] * len(metrics),
            metric=list(metrics),
            value=list(metrics.values()),
        )
    because = (
        "of 2,410 customers at 16 past cutoffs these members together did better than the usual ones by more than 0.002 and than chance"
    )
    alone = {"trees_on_offset": 0.4857, "trees_alone": 0.4801, "line": 0.6383, "buy_till_you_die": 0.7882}
    _append(
        warehouse,
        tables.BLEND_MEMBERS,
        model_version=[MODEL] * len(alone),
        target=["churn"] * len(alone),
        member=list(alone),
        weight=[0.5, 0.5, 0.0, 0.0],
        loss=["log loss"] * len(alone),
        member_loss=list(alone.values()),
        chosen_loss=[0.4791] * len(alone),
        equal_loss=[0.4960] * len(alone),
        because=[because] * len(alone),
    )


HINDCASTS_OF = [date(2024, 5, 1), date(2024, 12, 11), date(2025, 3, 5)]


def _hindcasts(warehouse: Warehouse, draw: np.random.Generator) -> None:
    """At three past cutoffs the model says what is true, and the formula what a coin says; of the last one the value is not known."""
    tables_of_rows = []
    for cutoff in HINDCASTS_OF:
        churn, value = draw.beta(2, 1, 600), draw.lognormal(3.6, 1.1, 600)
        revenue = np.where(draw.random(600) < 0.5, value * 2, 0.0)
        said = {
            "blend": Said(churn, value, np.stack([value * 0, value, value * 2])),
            "formula": Said(np.full(600, 0.5), value.mean() + 0 * value),
        }
        days = None if cutoff == HINDCASTS_OF[-1] else 365
        stage = draw.integers(0, 4, 600)
        cast = Hindcast(cutoff, 90, days, said, draw.random(600) < churn, revenue, stage, cutoff != HINDCASTS_OF[0], False)
        tables_of_rows += cast.rows()
    rows = pa.concat_tables(tables_of_rows)
    warehouse.append(tables.HINDCASTS, rows.append_column("model_version", pa.repeat(MODEL, len(rows))))


def _orders(warehouse: Warehouse, ids: list[str], draw: np.random.Generator) -> None:
    """The dbt model of orders that count on tonight's as_of."""
    start, end = (date(2023, 1, 1) - EPOCH).days, (TONIGHT - EPOCH).days
    first = draw.integers(start, end, len(ids))
    counts = draw.geometric(0.35, len(ids))
    owner = np.repeat(np.arange(len(ids)), counts)
    is_first = np.concatenate([[True], owner[1:] != owner[:-1]])
    day = first[owner] + np.where(is_first, 0, draw.exponential(140, len(owner))).astype(int)
    kept = day < end
    seasonal = draw.random(len(owner)) < 0.6 + 0.4 * np.cos((day - 335) / 365.25 * 2 * np.pi)
    kept &= is_first | seasonal
    warehouse.execute("create schema if not exists intermediate")
    warehouse.execute(
        "create table intermediate.int_as_of_orders (as_of_date date, customer_id varchar, ordered_day bigint, net_revenue decimal(18, 4))"
    )
    orders = pa.table(
        {
            "as_of_date": [TONIGHT] * int(kept.sum()),
            "customer_id": np.array(ids, dtype=object)[owner[kept]].tolist(),
            "ordered_day": day[kept],
            "net_revenue": draw.lognormal(3.5, 0.6, int(kept.sum())),
        }
    )
    as_orders = tables.Table("intermediate", "int_as_of_orders", "One row per order.", (), (), "dbt")
    warehouse.append(as_orders, orders)
    warehouse.execute(
        "create table intermediate.int_account_persons as "
        "select distinct customer_id as account_id, customer_id from scores.customer_scores"
    )
