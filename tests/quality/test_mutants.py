"""Accidents done to the data of a good night. `python -m tests.campaigns.gates` does all of them."""

from __future__ import annotations

import pytest

from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse
from tests.quality.gate_shop import JUDGES, Mutant, judge_mutant
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
