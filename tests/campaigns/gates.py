"""How strong the gates are: every accident on the last night of the sample shop, and how often ordinary nights are stopped.

python -m tests.campaigns.gates --nights 91 --customers 5000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from quality.limits import GateLimits
from quality.profile import save_profile
from quality.rule import Rule
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import GATE_RESULTS
from regulars.warehouse import Warehouse, open_warehouse
from tests.quality.gate_shop import JUDGES, TONIGHT, broken, build_shop, judge_mutant, nights_until, spoilable
from tests.quality.mutants import mutants

MOST_FALSE_STOPS_A_NIGHT = 1 / 90
LEAST_STOPPED = 0.98


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.gates", description="How strong the gates are.")
    parser.add_argument("--nights", type=int, default=91)
    parser.add_argument("--customers", type=int, default=5_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = build_shop(Path(folder) / "home", arguments.customers, arguments.nights)
        stopped_nights = ordinary_nights(home, nights_until(TONIGHT, arguments.nights)[:-1])
        print(f"ordinary nights: {stopped_nights} of {arguments.nights - 1} stopped")
        stopped, survivors = all_mutants(home)
    grave = [name for name in survivors if name.endswith((" emptied", " halved"))]
    print(f"mutants: {stopped} of {stopped + len(survivors)} stopped; not stopped: {', '.join(survivors) or 'none'}")
    is_strong = stopped >= LEAST_STOPPED * (stopped + len(survivors)) and not grave
    return 0 if is_strong and stopped_nights <= max(1, MOST_FALSE_STOPS_A_NIGHT * arguments.nights) else 1


def ordinary_nights(home: Home, nights: Sequence[date]) -> int:
    """Nights with a finding; each is accepted then, as a person would do, so that the next one is held against it."""
    settings, stopped = HomeSettings(home), 0
    with open_warehouse(home) as warehouse:
        for night in nights:
            findings: list[Rule] = []
            for gate, judge in JUDGES.items():
                judged = judge(warehouse, night, settings, GateLimits())
                save_profile(warehouse, gate, judged.tonight)
                findings += broken(judged)
                _accept(warehouse, gate, night)
            for rule in findings:
                print(f"  {night}: {'.'.join(rule.key)} outside {rule.lower:g} to {rule.upper:g}")
            stopped += bool(findings)
    return stopped


def _accept(warehouse: Warehouse, gate: str, night: date) -> None:
    row = {"as_of_date": night, "gate": gate, "is_met": True, "outcome": "accepted"} | dict.fromkeys(
        ("expectation", "column_name", "observed"), ""
    )
    warehouse.append(GATE_RESULTS, pa.Table.from_pylist([row]))


def all_mutants(home: Home) -> tuple[int, list[str]]:
    """How many were stopped, and the names of those that were not."""
    settings, stopped, survivors = HomeSettings(home), 0, []
    with spoilable(home) as warehouse:
        for mutant in mutants():
            if judge_mutant(warehouse, settings, mutant):
                stopped += 1
            else:
                survivors.append(mutant.name)
    return stopped, survivors


if __name__ == "__main__":
    sys.exit(main())
