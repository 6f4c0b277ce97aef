"""`python -m quality check --as-of DATE`: stop the night unless its features look as they should."""

from __future__ import annotations

import argparse
import sys

from quality.gate import check_features
from regulars.command import as_of_argument, run_command
from regulars.home import Home


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m quality", description="The gates between stages.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    as_of_argument(verbs.add_parser("check", help="hold the night's features against their suite; exit 3 when they fail"))
    arguments = parser.parse_args()
    return run_command(lambda: check_features(Home.from_environment(), arguments.as_of, arguments.kind))


if __name__ == "__main__":
    sys.exit(main())
