"""The gate between the features and everything that is decided from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import isfinite

import pyarrow as pa

from quality.feature_suite import BEYOND_ANY_SHOP, feature_suite
from quality.limits import load_limits
from quality.profile import PROFILE_TABLE, WHOLE_TABLE, last_passed_profile, profile_of
from quality.suite_run import Finding, run_suite
from regulars.errors import GateFailed
from regulars.home import Home
from regulars.run import Kind, step
from regulars.tables import GATE_RESULTS
from regulars.warehouse import open_warehouse

GATE = "features"
SHOWN = 12
"""Findings that a message spells out; all of them stand in quality.gate_results."""


def check_features(home: Home, as_of: date, kind: Kind) -> None:
    """Hold the profile of the night's features against the suite and write down every finding.

    Raises:
        GateFailed: an expectation was not met, or was not evaluated.
        ConfigurationError: config/quality.yml is at fault.
    """
    with step(home, "check features", kind, as_of) as run:
        limits = load_limits(home)
        with open_warehouse(home, role="scorer") as warehouse:
            tonight = profile_of(warehouse, as_of)
            before = last_passed_profile(warehouse, as_of)
        rules = feature_suite(tonight, before, limits)
        findings = run_suite(rules, tonight.frame(sorted({(rule.column, rule.statistic) for rule in rules})))
        with open_warehouse(home, role="scorer") as warehouse:
            warehouse.replace_slice(GATE_RESULTS, as_of, [_results(as_of, findings)])
        broken = [finding for finding in findings if not finding.is_met]
        if broken:
            raise GateFailed(_message(as_of, broken, len(findings), before.as_of if before else None))
        against = f"against {before.as_of}" if before else "no earlier night to compare with"
        run.summary = f"{len(findings)} expectations met over {tonight.rows_count:,.0f} customers, {against}"


def _results(as_of: date, findings: Sequence[Finding]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "as_of_date": as_of,
                "gate": GATE,
                "expectation": f"{_statistic(finding)}: {finding.rule.promise}",
                "column_name": "" if finding.rule.column == WHOLE_TABLE else finding.rule.column,
                "is_met": finding.is_met,
                "observed": _observed(finding),
            }
            for finding in findings
        ]
    )


def _message(as_of: date, broken: Sequence[Finding], evaluated: int, before: date | None) -> str:
    unmet = f"{len(broken)} of {evaluated} expectations about the customer features of {as_of} were not met"
    lines = [f"gate features: {unmet}; nothing was scored and nothing was sent."]
    for finding in broken[:SHOWN]:
        where = "the whole table" if finding.rule.column == WHOLE_TABLE else finding.rule.column
        lines.append(f"  {where}: {_statistic(finding)} {_observed(finding)}; {finding.rule.promise}")
    if len(broken) > SHOWN:
        lines.append(f"  … and {len(broken) - SHOWN} more in quality.gate_results")
    beside = f" beside that of {before}, the last night that passed" if before else ""
    lines.append(f"Look at {PROFILE_TABLE} of {as_of}{beside}, and at what was read and set aside")
    lines.append("(control.ingestion_accounts, private.quarantine). If the change is real, allow it in config/quality.yml and run again.")
    return "\n".join(lines)


def _statistic(finding: Finding) -> str:
    if finding.rule.statistic == "distinct_count" and finding.rule.column == WHOLE_TABLE:
        return "customers"
    return finding.rule.statistic.replace("rows_count", "rows").replace("_", " ").replace("distinct count", "different values")


def _observed(finding: Finding) -> str:
    if not finding.is_evaluated:
        return "was not evaluated"
    seen = "is missing" if finding.observed is None else f"is {_number(finding.observed)}"
    return f"{seen}, expected {_bounds(finding.rule.lower, finding.rule.upper)}"


def _bounds(lower: float, upper: float) -> str:
    if lower == upper:
        return _number(lower)
    if upper >= BEYOND_ANY_SHOP:
        return "a finite number" if lower <= -BEYOND_ANY_SHOP else f"at least {_number(lower)}"
    return f"between {_number(lower)} and {_number(upper)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if isfinite(value) and value == round(value) and abs(value) < BEYOND_ANY_SHOP else f"{value:,.6g}"
