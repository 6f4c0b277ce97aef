"""`python -m reporting write --as-of DATE`: the night's report, as a page for people."""

from __future__ import annotations

import argparse
import sys

from regulars.command import as_of_argument, run_command
from regulars.home import Home
from reporting.report import write_report
from reporting.summary import summary_lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reporting", description="What happened tonight, and did it earn money.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    as_of_argument(verbs.add_parser("write", help="write var/reports/DATE.html"))
    as_of_argument(verbs.add_parser("summary", help="print the night's segments as a short table"))
    arguments = parser.parse_args()

    def command() -> None:
        home = Home.from_environment()
        if arguments.verb == "write":
            write_report(home, arguments.as_of, arguments.kind)
        else:
            print("\n".join(summary_lines(home, arguments.as_of)))

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
