"""`python -m ingestion extract|land|run|requeue --as-of DATE`: from the sources of a home to the tables of `raw`."""

from __future__ import annotations

import argparse
import sys

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.requeue import requeue_source
from ingestion.source import source_names
from regulars.command import as_of_argument, run_command
from regulars.home import Home


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ingestion", description="From the sources of a home to the tables of raw.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, meaning in (
        ("extract", "read what is new at every source into Parquet files"),
        ("land", "write the extracts to the warehouse"),
        ("run", "extract, then land"),
    ):
        as_of_argument(verbs.add_parser(verb, help=meaning))
    requeue = verbs.add_parser("requeue", help="read rows in quarantine again, after the mapping has been mended")
    as_of_argument(requeue)
    requeue.add_argument("--source", metavar="NAME", help="of this source alone (default: of all)")
    options = parser.parse_args()
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    home = Home.from_environment()
    names = source_names(home)
    if options.verb in ("extract", "run"):
        for name in names:
            extract_source(home, name, options.as_of, options.kind)
    if options.verb in ("land", "run"):
        for name in names:
            land_source(home, name, options.as_of, options.kind)
    if options.verb == "requeue":
        for name in [options.source] if options.source else names:
            requeue_source(home, name, options.as_of, options.kind)


if __name__ == "__main__":
    sys.exit(main())
