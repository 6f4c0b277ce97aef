"""docker-compose.yml, Dockerfile and .dockerignore, held to the rules; and each rule, to mutants that it must notice."""

import json
import re
from pathlib import Path

import pytest

from regulars.deployment.folders import prepare_deployment
from tests.deployment.deployment_files import ROOT, VARIABLE, Deployment
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


def test_the_how_to_names_every_service_and_every_setting(deployment: Deployment) -> None:
    page = (ROOT / "docs/how-to/compose.md").read_text()
    rows = {name for row in re.findall(r"^\| (`.*?) \|", page, re.M) for name in re.findall(r"`([^`]+)`", row)}
    assert {found["name"] for found in VARIABLE.finditer(deployment.raw)} - {"REGULARS_IMAGE"} <= rows
    assert set(deployment.services) <= rows
