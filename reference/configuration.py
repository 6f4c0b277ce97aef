"""What every configuration file may say, from the settings that read it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import activation.destinations
import ingestion.sources
from activation.destination import DestinationSettings
from ingestion.source import SourceSettings
from ingestion.tabular.mapping import MAPPINGS, Cancellations, ColumnRule, ExcludeRule, Matching, TableMapping
from quality.limits import GateLimits
from regulars.segment import Segment
from regulars.settings import PredictionSettings, RegistrySettings, ShopSettings, TrainingSettings, WarehouseSettings


@dataclass(frozen=True)
class Setting:
    name: str
    default: str
    description: str


@dataclass(frozen=True)
class Section:
    """Part of a file, and the model that reads it; `beyond` is one whose settings stand in a section of their own."""

    title: str
    model: type[BaseModel]
    beyond: type[BaseModel] | None = None
    explanation: str = ""

    def settings(self) -> Iterator[Setting]:
        """The settings that a file may hold, in the order of the model."""
        known = set(self.beyond.model_fields) if self.beyond else set()
        for name, field in self.model.model_fields.items():
            is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            if name not in known and field.description and not is_section:
                yield Setting(field.alias or name, _default(field.get_default(call_default_factory=True)), field.description)


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", (), [], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`".replace("|", "\\|")


def _types_in(package: ModuleType) -> Iterator[tuple[str, type[BaseModel]]]:
    """Name and settings of every type that the package offers."""
    for module in pkgutil.iter_modules(package.__path__):
        yield module.name, importlib.import_module(f"{package.__name__}.{module.name}").Settings


SECTIONS: tuple[Section, ...] = (
    Section("config/shop.yml", ShopSettings),
    Section("config/warehouse.yml, which may be missing", WarehouseSettings),
    Section("config/sources.yml, each source", SourceSettings, explanation="The file maps a name to each source; `type` says what it is."),
    *(Section(f"config/sources.yml, a source of `type: {name}`", model, SourceSettings) for name, model in _types_in(ingestion.sources)),
    Section(
        "config/sources.yml, under `tables`, each table",
        TableMapping,
        explanation=f"Tables: {', '.join(f'`{name}`' for name in MAPPINGS)}. Beside these keys, each of the table's own columns "
        "([tables](tables.md)) may be mapped under its name.",
    ),
    Section(
        "config/sources.yml, a column of a table",
        ColumnRule,
        explanation="A text alone is the name of the file's column.",
    ),
    Section("config/sources.yml, each rule under `exclude`", ExcludeRule),
    Section("config/sources.yml, under `cancellations` of a table", Cancellations),
    Section("config/sources.yml, under `matching` of `cancellations`", Matching),
    Section("config/prediction.yml", PredictionSettings),
    Section("config/prediction.yml, under `training`", TrainingSettings),
    Section("config/prediction.yml, under `registry`", RegistrySettings),
    Section("config/quality.yml, which may be missing", GateLimits),
    Section("config/segments/NAME.yml", Segment),
    Section(
        "config/destinations.yml, each destination",
        DestinationSettings,
        explanation="The file maps a name to each destination.",
    ),
    *(
        Section(f"config/destinations.yml, a destination of `type: {name}`", model, DestinationSettings)
        for name, model in _types_in(activation.destinations)
    ),
)
