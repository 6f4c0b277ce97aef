"""YAML files as validated settings, with the file, line and key in every complaint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from regulars.errors import ConfigurationError

SECRET_LIKE = re.compile(r"[@:]|(?=\S*\d)(?=\S*[A-Za-z])\S{16,}")
"""What may be an address with a password, or a key written where no key belongs: such a value is not repeated."""

KeyPath = tuple[str | int, ...]


class Settings(BaseModel):
    """Base of everything that is read from YAML: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=BaseModel)


class _LineLoader(yaml.SafeLoader):
    """A safe loader that refuses a key written twice, which YAML would let win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _lines(node: yaml.Node | None, path: KeyPath, into: dict[KeyPath, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            child = (*path, key_node.value)
            into[child] = key_node.start_mark.line + 1
            _lines(value_node, child, into)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            into[(*path, index)] = item.start_mark.line + 1
            _lines(item, (*path, index), into)


class YamlFile:
    """One YAML file: its content as plain Python and the line of every key.

    Raises:
        ConfigurationError: the file is missing, is no UTF-8, or is no YAML mapping.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigurationError("the file is missing; `python -m regulars init DIR` writes a complete set", file=path) from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"the file is not UTF-8: {error.reason} at byte {error.start}", file=path) from None
        try:
            self.content: Any = yaml.load(text, _LineLoader)  # noqa: S506 - a SafeLoader
            node = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            raise ConfigurationError(f"this is not YAML: {error.problem}", file=path, line=line) from None
        self._line_of: dict[KeyPath, int] = {}
        _lines(node, (), self._line_of)
        if self.content is None:
            self.content = {}
        if not isinstance(self.content, dict):
            raise ConfigurationError("expected keys and values at the top of the file", file=path, line=1)

    def error(self, problem: str, key: KeyPath = ()) -> ConfigurationError:
        """A complaint about `key`, with its file and line."""
        line = next((self._line_of[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self._line_of), None)
        return ConfigurationError(problem, file=self.path, key=".".join(map(str, key)) or None, line=line)

    def validated(self, model: type[S], content: Any = None, at: KeyPath = ()) -> S:
        """The file's content, or a part of it that stands at the key path `at`, as settings of type `model`."""
        try:
            return model.model_validate(self.content if content is None else content)
        except ValidationError as failure:
            # A misspelt key is the likely cause of a missing one.
            first = min(failure.errors(), key=lambda error: error["type"] != "extra_forbidden")
            key = (*at, *first["loc"])
            raise self.error(self._in_words(model, first, len(failure.errors())), key) from None

    @staticmethod
    def _in_words(model: type[BaseModel], error: Any, count: int) -> str:
        more = f" ({count - 1} more after this one)" if count > 1 else ""
        name = str(error["loc"][-1]) if error["loc"] else ""
        if error["type"] == "extra_forbidden":
            known = _field_names(model, error["loc"][:-1])
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
            return f"unknown key; {hint}{more}"
        if error["type"] == "missing":
            return f"the key is missing{more}"
        message = error["msg"].removeprefix("Value error, ")
        given = error.get("input")
        shown = f", not {given!r}" if isinstance(given, str | int | float | bool) and "not " not in message else ""
        if SECRET_LIKE.search(str(given)):
            shown = ""
        return f"{message[0].lower()}{message[1:]}{shown}{more}"


def _field_names(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Names of the fields that may stand at `path` inside `model`, as far as its annotations tell."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue  # an item of a list; `current` is the type of its items already
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
        field = current.model_fields.get(str(part))
        if field is None:
            return []
        current = field.annotation
        for argument in getattr(current, "__args__", ()):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                current = argument
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []
