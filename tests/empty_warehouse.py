"""A warehouse with all tables of the contracts and no row, made once: to create them takes longer than most tests that need them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from regulars.home import Home
from regulars.warehouse import open_warehouse


def lay_empty_warehouse(home: Home) -> None:
    """What the first opening of the home's warehouse would make."""
    home.private_folder(home.var)
    home.warehouse.write_bytes(_made())


@cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config").mkdir()
        home = Home.at(Path(folder))
        with open_warehouse(home):
            pass
        return home.warehouse.read_bytes()
