"""Accidents done to the data of a good night. `python -m tests.campaigns.gates` does all of them, with the library at work."""

from __future__ import annotations

import pytest

from quality.gate import Judgement
from quality.rule import Rule
from quality.suite_run import run_suite
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse
from tests.quality.gate_shop import JUDGES, Mutant, broken, judge_mutant
from tests.quality.mutants import mutants

MUTANTS = list(mutants())
GRAVE = [mutant for mutant in MUTANTS if "." in mutant.name and mutant.statements[0].startswith("delete") and "lost" not in mutant.name]
SOME = [mutant for mutant in MUTANTS if mutant not in GRAVE][::16]


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 200
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len(GRAVE) >= 16


@pytest.mark.parametrize("gate", JUDGES)
def test_the_good_night_passes(gate: str, spoiled_warehouse: Warehouse, built_shop: Home) -> None:
    assert judge_mutant(spoiled_warehouse, HomeSettings(built_shop), Mutant(gate, "nothing", [])) == []


@pytest.mark.parametrize("mutant", [*GRAVE, *SOME], ids=lambda mutant: mutant.name)
def test_a_mutant_is_stopped(mutant: Mutant, spoiled_warehouse: Warehouse, built_shop: Home) -> None:
    assert judge_mutant(spoiled_warehouse, HomeSettings(built_shop), mutant), "nobody noticed"


@pytest.mark.parametrize("gate", JUDGES)
def test_the_library_judges_as_plain_comparison_does(gate: str, spoiled_warehouse: Warehouse, built_shop: Home) -> None:
    def both(judged: Judgement) -> list[Rule]:
        findings = run_suite(judged.rules, judged.tonight.frame(sorted({rule.key for rule in judged.rules})))
        assert all(finding.is_evaluated for finding in findings)
        assert [finding.rule for finding in findings if not finding.is_met] == broken(judged)
        return broken(judged)

    mutant = next(mutant for mutant in MUTANTS if (mutant.gate == gate and "not a number" in mutant.name) or mutant.gate == gate == "raw")
    assert judge_mutant(spoiled_warehouse, HomeSettings(built_shop), mutant, both)
