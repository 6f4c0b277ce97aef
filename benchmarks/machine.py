"""What a benchmark runs on, and how it starts the programs that it measures."""

from __future__ import annotations

import os

from benchmarks.shop import ROOT
from regulars.home import Home


def machine() -> str:
    """Cores, memory, and how busy others keep them just now."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory; other work when it began: a load of {os.getloadavg()[0]:.1f}"


def environment_of(home: Home) -> dict[str, str]:
    return {"REGULARS_HOME": str(home.path), "PYTHONPATH": str(ROOT)}
