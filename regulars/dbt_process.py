"""dbt in a process of its own, and what may be told of how it went.

dbt writes the words of the engine into its log and its results, and those quote the values that broke a model. So it writes
neither; this module writes both, with the words of such errors left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS, LOG = "run_results.json", "dbt.log"
WITHOUT_FILES = ("--no-write-json", "--log-level-file", "none")
ABOUT_SQL = re.compile(
    r"\s*(Compilation|Parsing) Error|(Runtime|Database) Error in [^\n]*\n\s*((Binder|Catalog|Parser|Permission|Syntax) Error"
    r"|(relation|column|function|schema|permission) [^\n]* (does not exist|denied))"
)
"""Errors that speak of the SQL alone, which is ours: they are shown whole."""
KIND, PLACE = re.compile(r"[A-Z][A-Za-z ]+ Error"), re.compile(r"LINE \d+")


def run_dbt(arguments: Sequence[str], manifest: Any = None) -> int:
    """Run dbt and write its results and its log; the exit code."""
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner(manifest=manifest).invoke([*WITHOUT_FILES, *arguments])
    results = [_result(one) for one in getattr(outcome.result, "results", ())]
    _write(_place(arguments, "--target-path") / RESULTS, json.dumps({"results": results}, indent=1) + "\n")
    lines = [f"{one['status']:<8} {one['unique_id']}{_indented(one['message'])}" for one in results]
    if outcome.exception is not None:
        lines.append(f"dbt stopped: {type(outcome.exception).__name__}{_indented(speakable(str(outcome.exception)))}")
    _write(_place(arguments, "--log-path") / LOG, "\n".join(lines) + "\n")
    return 0 if outcome.success else 1


def speakable(message: str) -> str:
    """What may be told of an engine's message: all of it when it is about SQL, else its kind and the line of the SQL."""
    if ABOUT_SQL.match(message):
        return message
    parts = [found.group().strip() for found in (*KIND.finditer(message), *PLACE.finditer(message))][:4]
    return ", ".join([*dict.fromkeys(parts), "the engine's own words are left out, as they may quote customers' data"])


def _result(one: Any) -> dict[str, Any]:
    status = str(one.status)
    return {
        "unique_id": one.node.unique_id,
        "status": status,
        "failures": one.failures,
        "seconds": round(one.execution_time, 3),
        "message": speakable(one.message or "") if status in ("error", "runtime error") else "",
    }


def _indented(text: str) -> str:
    return "".join(f"\n         {line}" for line in text.splitlines())


def _place(arguments: Sequence[str], option: str) -> Path:
    return Path(arguments[list(arguments).index(option) + 1])


def _write(file: Path, text: str) -> None:
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)


def main(arguments: Iterable[str]) -> int:
    return run_dbt(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
