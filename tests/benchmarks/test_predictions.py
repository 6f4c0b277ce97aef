"""The tables of docs/predictions.md: whole where they stand, true to the orders, replaced between their markers alone."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.predictions import (
    COVERAGE,
    PAGE,
    TASKS,
    BenchDisagrees,
    block,
    coverage_row,
    judge,
    replaced,
    task_table,
    with_row,
    write_tables,
)
from regulars.errors import InputError

CUTOFF = date(2024, 1, 1)
ORDERS = pa.table(
    {
        "customer_id": pa.array([1, 1, 2, 2, 3]),
        "ordered_at": [datetime(2023, 5, 1), datetime(2024, 1, 1), datetime(2023, 6, 1), datetime(2024, 1, 31), datetime(2023, 7, 1)],
        "net_revenue": [5.0, 20.0, 5.0, 40.0, 5.0],
    }
)
PREDICTIONS = pa.table(
    {
        "customer_id": ["1", "2", "3"],
        "churn_probability": [0.2, 0.6, 0.8],
        "expected_value": [10.0, 8.0, 2.0],
        "value_q50": [5.0, 0.0, 0.0],
        "value_q80": [15.0, 9.0, 0.0],
        "value_q90": [19.0, 20.0, 0.0],
    }
)


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")]


def test_every_table_of_the_page_stands_between_its_markers_and_is_whole() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for task in TASKS:
        header, *rows = rows_of(block(page, task.name))
        assert header == ["metric", "ours", "best peer", "difference (95 %)", "goal"]
        assert {"roc_auc", "log_loss", "mae", "bias"} <= {row[0] for row in rows}
        assert all(re.fullmatch(r"\d+\.\d{4}", row[1]) and len(row) == 5 for row in rows)
    header, *rows = rows_of(block(page, COVERAGE))
    assert [row[0] for row in rows] == [task.title for task in TASKS]
    assert all(0 <= float(figure) <= 100 for row in rows for figure in row[1:] if figure != "–")
    assert page.count("<!-- begin") == page.count("<!-- end") == len(TASKS) + 1


def test_predictions_are_judged_by_the_orders_of_the_horizon() -> None:
    judged = judge(ORDERS, PREDICTIONS, CUTOFF, 30)
    assert (judged.customers_count, judged.churned_share, judged.mean_revenue) == (3, pytest.approx(2 / 3), pytest.approx(20 / 3))
    assert judged.metrics["roc_auc"] == 1.0
    assert judged.metrics["bias"] == pytest.approx(1.0)
    assert judged.coverage["above_q90_share"] == pytest.approx(1 / 3)
    assert judge(ORDERS, PREDICTIONS, CUTOFF, 31).metrics["bias"] == pytest.approx(20 / 60), "the last day counts, its end does not"
    without = PREDICTIONS.set_column(5, "value_q90", pa.nulls(3, pa.float64()))
    assert coverage_row(TASKS[0], judge(ORDERS, without, CUTOFF, 30).coverage).count("–") == 5


def test_the_bench_is_shown_beside_our_own_metrics_and_must_agree() -> None:
    judged = judge(ORDERS, PREDICTIONS, CUTOFF, 31)
    alone = rows_of(task_table(TASKS[0], judged, {}))
    assert [row[2] for row in alone[1:]] == ["–"] * len(judged.metrics)
    bias = f"{judged.metrics['bias']:.4f}"
    bench = {"bias": [bias, "peer 0.9", "+0.1 [+0.0, +0.2]", "holds"], "decile_mape": ["0.2", "peer 0.1", "+0.1 [0, 0]", ""]}
    shown = {row[0]: row[1:] for row in rows_of(task_table(TASKS[0], judged, bench))}
    assert shown["bias"] == bench["bias"]
    assert shown["decile_mape"] == bench["decile_mape"]
    with pytest.raises(BenchDisagrees, match="bias"):
        task_table(TASKS[0], judged, {"bias": ["0.5", "peer 0.9", "", ""]})


def test_a_block_is_replaced_and_a_row_kept_in_its_place() -> None:
    page = "before\n<!-- begin a -->\n| x | 1 |\n| y | 2 |\n<!-- end a -->\nafter"
    changed = replaced(page, "a", with_row(block(page, "a"), "| x | 3 |"))
    assert changed == page.replace("| x | 1 |", "| x | 3 |")
    assert with_row("| x | 1 |", "| z | 4 |") == "| x | 1 |\n| z | 4 |"
    with pytest.raises(InputError, match="expected <!-- begin b -->"):
        replaced(page, "b", "")


def test_a_task_without_data_is_skipped_and_its_tables_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "predictions.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_tables(TASKS, tmp_path / "nowhere", page, None)
    assert page.read_bytes() == PAGE.read_bytes()
    assert capsys.readouterr().err.count("skipped, for") == len(TASKS)
