"""A home: one shop's configuration and data, in one folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from regulars.errors import ConfigurationError


@dataclass(frozen=True)
class Home:
    """The folders of one shop: `config/` is edited by people, `var/` is written by Regulars alone."""

    path: Path
    warehouse_url: str | None = field(default=None, repr=False, compare=False)
    """Address and secret of a warehouse on a server, where it does not come from REGULARS_WAREHOUSE_URL."""
    configuration: Path | None = None
    """Read in place of `config/`, where a past night is computed again as its shop was configured then."""

    @classmethod
    def from_environment(cls) -> Home:
        """The home that REGULARS_HOME names, else the current folder.

        Raises:
            ConfigurationError: the folder holds no `config/`.
        """
        return cls.at(Path(os.environ.get("REGULARS_HOME") or "."))

    @classmethod
    def at(cls, path: Path) -> Home:
        home = cls(path.expanduser().resolve())
        if not home.config.is_dir():
            raise ConfigurationError(
                f"{home.path} is no home: it has no folder config/. Set REGULARS_HOME to a home, "
                f"or write one with `python -m regulars init {path}`"
            )
        return home

    @property
    def config(self) -> Path:
        return self.configuration or self.path / "config"

    @property
    def warehouse_configuration(self) -> Path:
        """Where the warehouse is now: a past configuration would say where it was then."""
        return self.path / "config" / "warehouse.yml"

    @property
    def var(self) -> Path:
        return self.path / "var"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the embedded warehouse."""
        return self.var / "warehouse.duckdb"

    @property
    def warehouse_snapshot(self) -> Path:
        """The embedded warehouse as it was published last: what a damaged one is restored from."""
        return self.var / "warehouse.snapshot.duckdb"

    @property
    def damaged(self) -> Path:
        """Damaged files of the warehouse, put aside."""
        return self.var / "damaged"

    @property
    def published_warehouse(self) -> Path:
        """The read-only copy that people query: no table of the schema `private` is in it."""
        return self.var / "published.duckdb"

    @property
    def state(self) -> Path:
        """The SQLite file of plans, ledger, decisions on plans and control-group arms."""
        return self.var / "state" / "state.sqlite"

    @property
    def extracts(self) -> Path:
        return self.var / "extracts"

    @property
    def models(self) -> Path:
        return self.var / "models"

    @property
    def lists(self) -> Path:
        return self.var / "lists"

    @property
    def rebuilds(self) -> Path:
        return self.var / "rebuilds"

    @property
    def configurations(self) -> Path:
        """Copies of the configurations that nights ran with, by their hash."""
        return self.var / "configurations"

    @property
    def reports(self) -> Path:
        return self.var / "reports"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    def private_folder(self, path: Path) -> Path:
        """`path`, made with mode 0700 when it is missing, as are the folders between the home and it."""
        for folder in (*reversed(path.parents), path):
            if folder.is_relative_to(self.var):
                folder.mkdir(exist_ok=True, mode=0o700)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path
