"""The commands of the kernel: `python -m regulars …`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from regulars.command import as_of_argument, iso_date, run_command
from regulars.home import Home


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m regulars", description="The nightly retention engine for online shops.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    init = verbs.add_parser("init", help="write a commented home for your own orders file")
    init.add_argument("folder", type=Path)
    init.set_defaults(run=_init)

    shop = verbs.add_parser("sample-shop", help="write the export of the sample shop, as it stands at a date")
    shop.add_argument("--until", required=True, type=iso_date, metavar="DATE", help="events before this day's start")
    shop.add_argument("--customers", type=int, default=20_000, help="persons who will have ordered in 2.5 years (default: 20000)")
    shop.set_defaults(run=_sample_shop)

    for verb, kind, words in (
        ("night", "night", "run one night through Airflow; of a past one, rebuild the lists and send nothing"),
        ("train", "training", "run one training through Airflow"),
    ):
        dag = verbs.add_parser(verb, help=words)
        dag.add_argument("--as-of", required=True, type=iso_date, metavar="DATE")
        dag.set_defaults(run=_dag, kind=kind)

    build = verbs.add_parser("build", help="build one layer with dbt")
    as_of_argument(build)
    build.add_argument("--layer", required=True, choices=["staging", "features"])
    build.add_argument("--cutoffs", nargs="*", type=iso_date, default=[], metavar="DATE", help="past as_of dates, for a training")
    build.set_defaults(run=_build)

    finish = verbs.add_parser("finish", help="publish the read-only copy of the warehouse and close the run")
    as_of_argument(finish)
    finish.set_defaults(run=_finish)

    roles = verbs.add_parser("warehouse-roles", help="print what an administrator of a Postgres server runs for this shop, for psql")
    roles.add_argument("--login", default="regulars", type=_sql_name, metavar="NAME", help="the shop's login (default: regulars)")
    roles.add_argument("--database", default="regulars", type=_sql_name, metavar="NAME", help="the shop's database (default: regulars)")
    roles.set_defaults(run=_warehouse_roles)

    up = verbs.add_parser("up", help="start Airflow's pages on 127.0.0.1")
    up.add_argument("--port", type=int, default=8080)
    up.set_defaults(run=_up)
    verbs.add_parser("down", help="end Airflow, children included").set_defaults(run=_down)

    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.run
    return run_command(lambda: command(options))


def _init(options: argparse.Namespace) -> None:
    from regulars.new_home import write_home

    write_home(options.folder)


def _sample_shop(options: argparse.Namespace) -> None:
    from regulars.sample_shop_home import export_sample_shop

    export_sample_shop(Home.from_environment(), options.until, options.customers)


def _dag(options: argparse.Namespace) -> None:
    from regulars.airflow_run import run_dag
    from regulars.run import is_past

    home = Home.from_environment()
    is_rebuild = options.kind == "night" and is_past(home, options.as_of)
    run_dag(home, "rebuild" if is_rebuild else options.kind, options.as_of)


def _build(options: argparse.Namespace) -> None:
    from regulars.features import build_features, build_staging

    home = Home.from_environment()
    if options.layer == "staging":
        build_staging(home, options.as_of, options.kind)
    else:
        build_features(home, options.as_of, options.kind, options.cutoffs)


def _finish(options: argparse.Namespace) -> None:
    from regulars.run import finish_run

    finish_run(Home.from_environment(), options.as_of, options.kind)


def _warehouse_roles(options: argparse.Namespace) -> None:
    from regulars.warehouse.postgres_roles import roles_sql

    print(roles_sql(options.login, options.database), end="")


def _sql_name(text: str) -> str:
    if not re.fullmatch("[a-z_][a-z0-9_]{0,62}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no plain name; expected small letters, digits and _")
    return text


def _up(options: argparse.Namespace) -> None:
    from regulars.airflow_server import start

    start(Home.from_environment(), options.port)


def _down(_: argparse.Namespace) -> None:
    from regulars.airflow_server import stop

    stop(Home.from_environment())


if __name__ == "__main__":
    sys.exit(main())
