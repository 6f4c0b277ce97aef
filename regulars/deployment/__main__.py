"""The commands of a deployment: `python -m regulars.deployment …`. `prepare` runs on the host, the others in containers."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from regulars.command import run_command

SECRETS_FOLDER, RUNTIME_FOLDER = Path("/run/secrets"), Path("/run/regulars")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m regulars.deployment")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("prepare", help="make the secrets, the folders and .env")
    verbs.add_parser("check", help="hold the secrets, the user and the clock to the standard")
    verbs.add_parser("migrate", help="bring Airflow's database to this version")
    start = verbs.add_parser("start", help="check the secrets, then become the command")
    start.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.verb == "prepare":
        from regulars.deployment.folders import prepare_deployment

        prepare_deployment(Path.cwd())
        print("Made secrets/, shop/, data/, backups/ and .env. The password of the user admin: `cat secrets/admin_password`")
        return
    from regulars.deployment import container

    secrets = Path(os.environ.get("REGULARS_SECRETS", SECRETS_FOLDER))
    if options.verb == "check":
        container.check(secrets)
    elif options.verb == "migrate":
        container.migrate()
    else:
        container.start(secrets, Path(os.environ.get("REGULARS_RUNTIME", RUNTIME_FOLDER)), options.command)


if __name__ == "__main__":
    sys.exit(main())
