"""docker-compose.yml, Dockerfile and .dockerignore as a deployment reads them."""

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


def interpolate(text: str, environment: dict[str, str]) -> str:
    """What compose makes of ${NAME:-default}."""
    return VARIABLE.sub(lambda found: environment.get(found["name"]) or found["default"] or "", text).replace("$$", "$")


@dataclass
class Deployment:
    """The files, parsed; a mutant is a copy with one thing spoiled."""

    compose: dict[str, Any]
    dockerfile: str
    dockerignore: str
    raw: str
    extra: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environment: dict[str, str] | None = None) -> "Deployment":
        raw = (ROOT / "docker-compose.yml").read_text()
        # Copied, so that a mutant of one service leaves the others that share its anchors alone.
        compose = {key: copy.deepcopy(value) for key, value in yaml.safe_load(interpolate(raw, environment or {})).items()}
        compose["services"] = {name: copy.deepcopy(service) for name, service in compose["services"].items()}
        return cls(compose, (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text(), raw)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.compose["services"]

    @property
    def own(self) -> dict[str, dict[str, Any]]:
        """The services of our own image."""
        return {name: service for name, service in self.services.items() if "build" in service}

    @property
    def airflow(self) -> dict[str, dict[str, Any]]:
        """Those of them that are a part of Airflow and go on."""
        return {name: service for name, service in self.own.items() if service["command"][0] == "airflow"}

    @property
    def lasting(self) -> dict[str, dict[str, Any]]:
        """The services that go on, as opposed to those that end at once."""
        once = {"check", "migrate", "backup"}
        return {name: service for name, service in self.services.items() if name not in once}

    def instructions(self) -> list[tuple[str, str]]:
        """The Dockerfile's instructions with their arguments, continued lines joined."""
        lines = [line for line in self.dockerfile.splitlines() if line.strip() and not line.strip().startswith("#")]
        joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
        return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def mounts(service: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "short", "source": m.split(":")[0], "target": m} if isinstance(m, str) else m for m in service.get("volumes", [])]


def whole_command(service: dict[str, Any]) -> str:
    return " ".join(map(str, [*service.get("entrypoint", []), *service.get("command", [])]))
