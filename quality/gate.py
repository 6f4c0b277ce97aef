"""The gates of a night: after landing, after the features, after the scores. A red one leaves yesterday's lists as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa

from quality import acceptance
from quality.baseline import PassedNight, evaluation_date, last_passed_night
from quality.data_docs import write_data_docs
from quality.feature_profile import TABLE as FEATURES
from quality.feature_profile import measure_features, measure_spread
from quality.feature_suite import feature_suite
from quality.hindsight import measure_hindsight
from quality.limits import GateLimits, load_limits
from quality.profile import WHOLE_TABLE, Profile, load_histograms, load_profile, save_histograms, save_profile
from quality.raw_profile import measure_raw
from quality.raw_suite import raw_suite
from quality.rule import Finding, Outcome, Rule
from quality.score_profile import measure_scores, promises
from quality.score_suite import score_suite
from quality.score_training import measure_tenths
from regulars.errors import GateFailed
from regulars.home import Home
from regulars.nights import known_until_of
from regulars.run import Kind, Run, step
from regulars.settings import HomeSettings
from regulars.tables import GATE_RESULTS
from regulars.warehouse import Warehouse, open_warehouse

GateName = Literal["raw", "features", "scores"]
SHOWN = 12
"""Findings that a message spells out; all of them stand in quality.gate_results."""


@dataclass(frozen=True)
class Judgement:
    """What a gate measures and the rules for it."""

    tonight: Profile
    rules: list[Rule]
    before: PassedNight | None

    def findings(self) -> list[Finding]:
        """One for every rule, in their order."""
        return [Finding(rule, self.tonight.values.get(rule.key)) for rule in self.rules]


def check_raw(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Hold what was landed against its suite.

    Raises:
        GateFailed: an expectation was not met.
        ConfigurationError: config/quality.yml is at fault.
    """
    _check(home, "raw", as_of, kind, judge_raw)


def check_features(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Hold the features against their suite; see `check_raw`."""
    _check(home, "features", as_of, kind, judge_features)


def check_scores(home: Home, as_of: date, kind: Kind = "night") -> None:
    """Hold the scores against their suite; see `check_raw`."""
    _check(home, "scores", as_of, kind, judge_scores)


def judge_raw(warehouse: Warehouse, as_of: date, settings: HomeSettings, limits: GateLimits) -> Judgement:
    known_until = known_until_of(warehouse, as_of)
    if known_until is None or not warehouse.exists("staging.stg_orders"):
        raise GateFailed(
            f"gate raw: staging has not been built for {as_of}, so nothing is known about what was landed. "
            f"Nothing was sent. Run `python -m regulars build --layer staging --as-of {as_of}` first."
        )
    before = last_passed_night(warehouse, as_of)
    tonight = measure_raw(warehouse, as_of, known_until, settings.shop.currency, before)
    return Judgement(tonight, raw_suite(tonight, _profile_of(warehouse, "raw", before), limits), before)


def judge_features(warehouse: Warehouse, as_of: date, settings: HomeSettings, limits: GateLimits) -> Judgement:
    if not warehouse.exists("features.customer_features"):
        raise GateFailed(
            f"gate features: no features have been built for {as_of}. Nothing was sent. "
            f"Run `python -m regulars build --layer features --as-of {as_of}` first."
        )
    del settings
    before = last_passed_night(warehouse, as_of)
    tonight = measure_features(warehouse, as_of)
    evaluated = evaluation_date(warehouse, as_of)
    spread = _spread_of(warehouse, evaluated) if evaluated is not None else None
    placed = load_profile(warehouse, "raw", as_of).value("orders", WHOLE_TABLE, "placed_with_account_count")
    rules = feature_suite(tonight, _profile_of(warehouse, "features", before), spread, limits, placed)
    return Judgement(tonight, rules, before)


def judge_scores(warehouse: Warehouse, as_of: date, settings: HomeSettings, limits: GateLimits) -> Judgement:
    before = last_passed_night(warehouse, as_of)
    earlier = _profile_of(warehouse, "scores", before)
    tonight = measure_scores(warehouse, as_of, settings, before)
    tenths = measure_tenths(warehouse, tonight)
    measure_hindsight(warehouse, tonight, settings, limits)
    features = Profile(as_of)
    count = warehouse.rows(f"select count(*) from features.{FEATURES} where as_of_date = ?", [as_of])[0][0]
    features.values[FEATURES, WHOLE_TABLE, "rows_count"] = float(count)
    rules = score_suite(tonight, earlier, tenths, features, promises(settings), limits)
    return Judgement(tonight, rules, before)


def _check(
    home: Home, gate: GateName, as_of: date, kind: Kind, judge: Callable[[Warehouse, date, HomeSettings, GateLimits], Judgement]
) -> None:
    with step(home, f"check {gate}", kind, as_of) as run:
        limits = load_limits(home)
        with open_warehouse(home, role="scorer") as warehouse:
            judged = judge(warehouse, as_of, run.settings, limits)
        findings = judged.findings()
        broken = [finding for finding in findings if not finding.is_met]
        sha256 = acceptance.findings_hash(gate, as_of, broken)
        acceptable = bool(broken) and all(finding.rule.is_acceptable for finding in broken)
        accepted = acceptable and acceptance.is_accepted(run.state, sha256)
        with open_warehouse(home, role="scorer") as warehouse:
            save_profile(warehouse, gate, judged.tonight)
            _save_results(warehouse, gate, as_of, findings, accepted=accepted)
            page = write_data_docs(home, warehouse, run.settings, as_of)
        if broken and not accepted:
            if acceptable:
                acceptance.note_stop(run.state, gate, as_of, sha256)
            raise GateFailed(_message(run, gate, judged, findings, sha256 if acceptable else None, str(page.relative_to(home.path))))
        warned = [finding for finding in findings if finding.is_warning]
        words = [f"{len(findings)} expectations {'met or accepted' if accepted else 'met'}"]
        words += [f"{len(warned)} warnings ({warned[0].place()}: {warned[0].measured()} {warned[0].seen()})"] if warned else []
        words.append(f"against {judged.before.as_of}" if judged.before else "no earlier night to compare with")
        run.summary = f"{', '.join(words)}; {page.relative_to(home.path)}"


def _profile_of(warehouse: Warehouse, gate: GateName, before: PassedNight | None) -> Profile | None:
    return load_profile(warehouse, gate, before.as_of) if before is not None else None


def _spread_of(warehouse: Warehouse, day: date) -> Profile:
    """The spread of the features on a past cutoff, computed once."""
    profile = Profile(day, histograms={key: bins for key, bins in load_histograms(warehouse, day).items() if key[0] == FEATURES})
    if not profile.histograms:
        profile = measure_spread(warehouse, day)
        with warehouse.transaction():
            save_histograms(warehouse, profile, FEATURES)
    return profile


def _save_results(warehouse: Warehouse, gate: GateName, as_of: date, findings: Sequence[Finding], *, accepted: bool) -> None:
    def outcome(finding: Finding) -> Outcome:
        if finding.is_met:
            return "warned" if finding.is_warning else "met"
        return "accepted" if accepted else "broken"

    rows = [
        {
            "as_of_date": as_of,
            "gate": gate,
            "expectation": f"{finding.measured()}: {finding.rule.promise}",
            "column_name": "" if finding.rule.column == WHOLE_TABLE else finding.rule.column,
            "is_met": outcome(finding) != "broken",
            "observed": finding.seen(),
            "table_name": finding.rule.table,
            "outcome": outcome(finding),
        }
        for finding in findings
    ]
    with warehouse.transaction():
        warehouse.execute(f"delete from {GATE_RESULTS.qualified_name} where as_of_date = ? and gate = ?", [as_of, gate])
        warehouse.append(GATE_RESULTS, pa.Table.from_pylist(rows))


def _message(run: Run, gate: GateName, judged: Judgement, findings: Sequence[Finding], sha256: str | None, page: str) -> str:
    broken = [finding for finding in findings if not finding.is_met]
    subject = {"raw": "what was landed", "features": "the customer features", "scores": "the scores"}[gate]
    as_of = run.as_of
    unmet = f"{len(broken)} of {len(findings)} expectations about {subject} of {as_of} were not met"
    lines = [f"gate {gate}: {unmet}; nothing was sent, and yesterday's lists stand."]
    lines += [f"  {finding.place()}: {finding.measured()} {finding.seen()}; {finding.rule.promise}" for finding in broken[:SHOWN]]
    if len(broken) > SHOWN:
        lines.append(f"  … and {len(broken) - SHOWN} more in quality.gate_results")
    beside = f" beside those of {judged.before.as_of}, the last night that passed" if judged.before else ""
    lines.append(f"Look at {page}: the figures of this night{beside}; and at what was read and set aside")
    lines.append("(control.ingestion_accounts, private.quarantine). Mend the cause and run the night again.")
    if sha256 is not None:
        lines.append(f"If it is right, such as after a sale: `python -m quality accept {sha256[:16]}`, then run the night again.")
    else:
        lines.append("Some of it cannot be right, so a person cannot accept it.")
    return "\n".join(lines)
