"""Every command ends the same way: exit 0, or an error in one paragraph and the exit code that it carries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date

from regulars.errors import RegularsError, Unforeseen
from regulars.progress import keep_libraries_quiet


def run_command(command: Callable[[], None]) -> int:
    """Run `command`; the exit code of the process. Of errors that are not ours only kind and places are shown."""
    keep_libraries_quiet()
    try:
        command()
    except RegularsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        print(f"error: {Unforeseen(error)}", file=sys.stderr)
        return Unforeseen.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        return 75
    return 0


def as_of_argument(parser: argparse.ArgumentParser) -> None:
    """Add the two options that every stage takes."""
    parser.add_argument("--as-of", required=True, type=iso_date, metavar="DATE", help="only events before the start of this shop day count")
    parser.add_argument("--kind", choices=["night", "training"], default="night", help="run that the stage works for (default: night)")


def iso_date(text: str) -> date:
    """A date argument; argparse turns the ValueError into its usage message and exit code 2."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; expected YYYY-MM-DD") from None
