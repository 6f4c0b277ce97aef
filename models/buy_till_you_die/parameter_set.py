"""A model that is nothing but a few positive numbers, with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from models.prediction import Figures
from regulars.errors import ArtefactError


@dataclass(frozen=True)
class ParameterSet:
    """Base of the fitted models: frozen dataclasses of their parameters, in the order of the fields."""

    unit_parameters: ClassVar[tuple[str, ...]]
    """Parameters in the data's unit, of time or of money, and so to be rescaled with it."""

    floors: ClassVar[Mapping[str, float]] = {}
    """By parameter: what it must exceed, where that is not 0."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    @classmethod
    def lowest(cls) -> Figures:
        """What each parameter must exceed, shape (parameters,)."""
        return np.array([cls.floors.get(name, 0.0) for name in cls.names()])

    @classmethod
    def of_values(cls, values: Figures) -> Self:
        return cls(*(float(value) for value in values))

    @property
    def values(self) -> Figures:
        """The parameters, shape (parameters,)."""
        return np.array([getattr(self, name) for name in self.names()])

    def in_unit(self, unit: float) -> Self:
        """The same model for data counted in multiples of `unit`."""
        return type(self)(**{name: value / unit if name in self.unit_parameters else value for name, value in self.to_dict().items()})

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, parameters: Mapping[str, Any]) -> Self:
        """The model that `to_dict` described.

        Raises:
            ArtefactError: a parameter is missing, unknown, or out of its range.
        """
        if set(parameters) != set(cls.names()):
            raise ArtefactError(f"{cls.__name__} has the parameters {', '.join(cls.names())}; found {', '.join(sorted(parameters))}")
        for name, lowest in zip(cls.names(), cls.lowest(), strict=True):
            value = parameters[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not lowest < value < np.inf:
                raise ArtefactError(f"{cls.__name__}: {name} is {value!r}; expected a finite number above {lowest:g}. Train again")
        return cls(**{name: float(parameters[name]) for name in cls.names()})
