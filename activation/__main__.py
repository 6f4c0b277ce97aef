"""python -m activation plan|push --as-of DATE, and python -m activation approve|refuse HASH"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable

from activation.approval import decide
from activation.destination import destination_names, load_destination
from activation.sync import plan_destination, push_destination
from regulars.command import as_of_argument, run_command
from regulars.errors import RegularsError
from regulars.home import Home
from regulars.progress import say


def main() -> None:
    """The command line of the stage."""
    arguments = _parser().parse_args()
    home = Home.from_environment()
    if arguments.verb == "approve":
        say(f"approved for 24 hours: {decide(home, arguments.hash, 'approved', _person())}")
    elif arguments.verb == "refuse":
        say(f"refused: {decide(home, arguments.hash, 'refused', _person())}")
    else:
        work = plan_destination if arguments.verb == "plan" else push_destination
        names = [arguments.destination] if arguments.destination else destination_names(home)
        for name in names:
            load_destination(home, name)
        for_each(names, lambda name: work(home, arguments.as_of, arguments.kind, name))


def _person() -> str:
    try:
        return f"{getpass.getuser()} on the command line"
    except (KeyError, OSError):  # as in a container whose user has no name
        return f"user {os.getuid()} on the command line"


def for_each(names: list[str], work: Callable[[str], None]) -> None:
    """Do the work for every destination: one that fails does not stop the others.

    Raises:
        RegularsError: the gravest of the failures, with the text of all.
    """
    failures: list[RegularsError] = []
    for name in names:
        try:
            work(name)
        except RegularsError as failure:
            failures.append(failure)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        together = RegularsError("\n".join(str(failure) for failure in failures))
        together.exit_code = min(failure.exit_code for failure in failures)
        raise together


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m activation", description="Bring the lists of a night to the destinations.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, words in {
        "plan": "show what would change, and let the guard judge it",
        "push": "bring the lists there, read them back",
    }.items():
        with_verb = verbs.add_parser(verb, help=words)
        as_of_argument(with_verb)
        with_verb.add_argument("--destination", metavar="NAME", help="only this one of config/destinations.yml (default: all)")
    for verb, words in {"approve": "let a plan pass that the guard stopped", "refuse": "drop a plan that the guard stopped"}.items():
        deciding = verbs.add_parser(verb, help=words)
        deciding.add_argument("hash", help="SHA-256 of the plan, as the guard's message shows it")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
