"""What has moved, night by night: the calibration of what was said, the features, and the scores, with the limits of the gates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from regulars.hindsight import COLUMNS, Target
from regulars.tables import CUSTOMER_FEATURES, CUSTOMER_SCORES, PROFILES
from regulars.warehouse import Warehouse
from reporting.charts.timeline import Point, Series, timeline
from reporting.figure import Absent, DataTable, Figure, figure
from reporting.numbers import count, short_date

NIGHTS_SHOWN_DAYS = 400
DRIFT_WARN, DRIFT_STOP = 0.1, 0.2
"""The limits of config/quality.yml where it sets none. Each month between two nights allows as much again."""
TARGETS: dict[Target, str] = {"churn": "customers who ordered", "value": "revenue"}


def drift_figures(warehouse: Warehouse, as_of: date) -> list[Figure | Absent]:
    """Calibration of orders and of revenue, then features and scores."""
    calibration = [_calibration(warehouse, as_of, target) for target in COLUMNS]
    tables = ((CUSTOMER_FEATURES.name, "features"), (CUSTOMER_SCORES.name, "scores"))
    return [*calibration, *(_stability(warehouse, as_of, table, noun) for table, noun in tables)]


def _calibration(warehouse: Warehouse, as_of: date, target: Target) -> Figure | Absent:
    noun = TARGETS[target]
    rows = _profiles(warehouse, as_of, CUSTOMER_SCORES.name, "hindsight_")
    nights: dict[date, dict[str, float]] = {}
    limit = 0.0
    for night, column, statistic, value in rows:
        if column == COLUMNS[target]:
            nights.setdefault(night, {})[statistic.removeprefix("hindsight_")] = value
        elif statistic == "hindsight_limit":
            limit = value
    judged = [(night - timedelta(days=round(found["days_ago"])), found) for night, found in sorted(nights.items())]
    if not judged:
        return Absent(f"Does what is said of {noun} keep coming true?", "No night's predictions have been judged by a gate yet.")
    points = [Point(night, found["ratio"], found["ratio_low"], found["ratio_high"]) for night, found in judged]
    last = judged[-1][1]
    state = "beyond its limits" if last["is_beyond"] else "within its limits"
    bounds = [(limit, f"{limit:.2f}"), (1.0, "as said"), (1 / limit, f"{1 / limit:.2f}")] if limit > 1 else [(1.0, "as said")]
    return figure(
        f"drift-{target}",
        f"For each {'customer said to order' if target == 'churn' else 'unit of money said'}, {last['ratio']:.2f} came: {state}",
        f"{noun[0].upper()}{noun[1:]}: what happened for each that was said, by the night that said it, with what chance explains. "
        "Beyond the limits a night warns and a training is due.",
        lambda width: timeline(
            width,
            [Series(f"{noun}, happened for said", points, is_line=False)],
            "Happened for each said",
            lambda one: f"{one:.2f}",
            limits=bounds,
        ),
        DataTable(
            ("Said on", "Customers", "Happened for each said", "Chance explains from", "to", "Beyond the limits"),
            [
                (
                    short_date(night),
                    count(found["customers_count"]),
                    *(f"{found[name]:.2f}" for name in ("ratio", "ratio_low", "ratio_high")),
                    "yes" if found["is_beyond"] else "no",
                )
                for night, found in judged
            ],
        ),
    )


def _stability(warehouse: Warehouse, as_of: date, table: str, noun: str) -> Figure | Absent:
    """The column that moved most on each night, since the night before and since the cutoff that the model was evaluated on."""
    rows = _profiles(warehouse, as_of, table, "psi_since_")
    most: dict[str, dict[date, tuple[float, str]]] = {"psi_since_last_night": {}, "psi_since_training": {}}
    for night, column, statistic, value in rows:
        of_night = most.get(statistic)
        if of_night is not None and (value, column) > of_night.get(night, (-1.0, "")):
            of_night[night] = (value, column)
    since_night, since_training = most.values()
    if not since_night and not since_training:
        return Absent(f"Have the {noun} moved?", "No night has another one yet that it could be held against.")
    series = [
        Series(label, [Point(night, value) for night, (value, _) in sorted(found.items())], css)
        for label, css, found in (
            ("since the night before", "accent", since_night),
            ("since the model was evaluated", "warm", since_training),
        )
        if found
    ]
    latest = max([*since_night, *since_training])
    value, column = max(found[latest] for found in (since_night, since_training) if latest in found)
    return figure(
        f"drift-{noun}",
        f"Of the {noun} “{column.replace('_', ' ')}” has moved most, by {value:.3f}",
        "Population stability index of the column that moved most on each night: how differently the customers are spread over it. "
        f"From one night to the next {DRIFT_WARN} warns and {DRIFT_STOP} stops, unless config/quality.yml says otherwise; "
        "each month between allows as much again.",
        lambda width: timeline(
            width,
            series,
            "Index of the column that moved most",
            lambda one: f"{one:.2f}",
            limits=[(DRIFT_WARN, "warns"), (DRIFT_STOP, "stops")] if since_night else [],
        ),
        DataTable(("Night", "Since the night before", "Column", "Since the evaluation", "Column"), _moves(since_night, since_training), 1),
    )


def _moves(since_night: dict[date, tuple[float, str]], since_training: dict[date, tuple[float, str]]) -> Sequence[Sequence[str]]:
    def cells(found: tuple[float, str] | None) -> tuple[str, str]:
        return (f"{found[0]:.3f}", found[1]) if found else ("–", "–")

    nights = sorted({*since_night, *since_training})
    return [(short_date(night), *cells(since_night.get(night)), *cells(since_training.get(night))) for night in nights]


def _profiles(warehouse: Warehouse, as_of: date, table: str, prefix: str) -> list[tuple[date, str, str, float]]:
    rows = warehouse.rows(
        f"""
        select as_of_date, column_name, statistic, value from {PROFILES.qualified_name}
        where table_name = ? and substr(statistic, 1, {len(prefix)}) = ? and value is not null and as_of_date <= ? and as_of_date > ?
        order by as_of_date, column_name, statistic
        """,
        [table, prefix, as_of, as_of - timedelta(days=NIGHTS_SHOWN_DAYS)],
    )
    return [(row[0], row[1], row[2], float(row[3])) for row in rows]
