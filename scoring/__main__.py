"""python -m scoring VERB --as-of DATE"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date

from regulars.command import as_of_argument, run_command
from regulars.home import Home
from regulars.run import Kind
from scoring.match import match
from scoring.score import score

VERBS: dict[str, tuple[Callable[[Home, date, Kind], None], str]] = {
    "score": (score, "predict churn and value of every customer"),
    "match": (match, "decide who fits which segment, who stands on which list, and who is contacted"),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scoring", description="Score customers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, (_, what) in VERBS.items():
        as_of_argument(verbs.add_parser(verb, help=what))
    chosen = parser.parse_args(arguments)
    function, _ = VERBS[chosen.verb]
    return run_command(lambda: function(Home.from_environment(), chosen.as_of, chosen.kind))


if __name__ == "__main__":
    sys.exit(main())
