"""docker-compose.yml, Dockerfile and .dockerignore, held to the rules; and each rule, to mutants that it must notice."""

import json
from pathlib import Path

import pytest

from regulars.deployment.folders import prepare_deployment
from tests.deployment.deployment_files import Deployment
from tests.deployment.mutants import MUTANTS
from tests.deployment.rules import RULES


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return Deployment.read()


@pytest.mark.parametrize("name", RULES)
def test_rule(deployment: Deployment, name: str) -> None:
    assert list(RULES[name](deployment)) == []


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in RULES for number in range(len(MUTANTS.get(name, [None])))])
def test_rule_notices(name: str, number: int) -> None:
    mutant = Deployment.read()
    before = json.dumps([mutant.compose, mutant.dockerfile, mutant.dockerignore, mutant.raw])
    MUTANTS[name][number](mutant)
    assert json.dumps([mutant.compose, mutant.dockerfile, mutant.dockerignore, mutant.raw]) != before
    assert list(RULES[name](mutant)), "a spoiled deployment passed"


def test_rules_hold_with_the_environment_that_is_prepared(tmp_path: Path) -> None:
    prepare_deployment(tmp_path)
    lines = [line for line in (tmp_path / ".env").read_text().splitlines() if not line.startswith("#")]
    prepared = Deployment.read(dict(line.split("=", 1) for line in lines))
    assert {name: found for name, rule in RULES.items() if (found := list(rule(prepared)))} == {}
