"""`python -m quality check --as-of DATE`: stop the night unless its data look as they should; `accept HASH` when they are right."""

from __future__ import annotations

import argparse
import sys

from quality.acceptance import accept
from quality.gate import check_features, check_raw, check_scores
from regulars.command import as_of_argument, run_command
from regulars.home import Home
from regulars.progress import say

GATES = {"raw": check_raw, "features": check_features, "scores": check_scores}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m quality", description="The gates between stages.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="hold a boundary's tables against their suite; exit 3 when they fail")
    as_of_argument(check)
    check.add_argument("--gate", choices=list(GATES), default="features", help="boundary to check (default: features)")
    accepting = verbs.add_parser("accept", help="let what a gate found pass, for that night")
    accepting.add_argument("hash", help="SHA-256 of the findings, as the gate's message shows it")
    arguments = parser.parse_args()
    if arguments.verb == "accept":
        return run_command(lambda: say(f"accepted: {accept(Home.from_environment(), arguments.hash)}; run the night again"))
    return run_command(lambda: GATES[arguments.gate](Home.from_environment(), arguments.as_of, arguments.kind))


if __name__ == "__main__":
    sys.exit(main())
