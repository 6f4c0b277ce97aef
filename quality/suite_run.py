"""Runs rules as one Great Expectations suite, in memory: no files, no network, no analytics."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from quality.rule import Finding, Rule

if TYPE_CHECKING:
    import pandas as pd

ROW_COUNT = -1


def run_suite(rules: Sequence[Rule], frame: pd.DataFrame) -> list[Finding]:
    """One finding per rule, in the order of the rules.

    The library has been seen to leave results out. A rule without a result counts as broken, and so does one that was
    evaluated twice, so that as many are evaluated as are configured.

    Args:
        frame: one row, a column `<table>.<column>.<statistic>` for every statistic that the rules bound.
    """
    expect, night = _library()
    expectations = [
        expect.ExpectColumnMinToBeBetween(column=".".join(rule.key), min_value=rule.lower, max_value=rule.upper, meta={"rule": number})
        for number, rule in enumerate(rules)
    ]
    # Rules about values pass on a frame without rows.
    expectations.append(expect.ExpectTableRowCountToEqual(value=1, meta={"rule": ROW_COUNT}))
    results: dict[int, list[Any]] = {}
    for result in night(frame, expectations):
        results.setdefault(result.expectation_config.meta["rule"], []).append(result)
    has_its_row = len(results.get(ROW_COUNT, [])) == 1 and bool(results[ROW_COUNT][0].success)
    return [_finding(rule, results.get(number, []), has_its_row) for number, rule in enumerate(rules)]


@cache
def _library() -> tuple[Any, Any]:
    """The expectations, and a function that validates a frame against some; set up once a process."""
    # Read at import; an operator's own setting must not switch it on again.
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    definition = context.data_sources.add_pandas("profile").add_dataframe_asset("tables").add_batch_definition_whole_dataframe("night")

    def validate(frame: pd.DataFrame, expectations: list[Any]) -> list[Any]:
        batch = definition.get_batch({"dataframe": frame})
        results: list[Any] = batch.validate(gx.ExpectationSuite(name="gate", expectations=expectations)).results
        return results

    return gx.expectations, validate


def _finding(rule: Rule, results: list[Any], has_its_row: bool) -> Finding:
    if len(results) != 1 or not has_its_row:
        return Finding(rule, is_met=False, is_evaluated=False, observed=None)
    observed = results[0].result.get("observed_value")
    return Finding(rule, bool(results[0].success), is_evaluated=True, observed=None if observed is None else float(observed))
