"""500 persons and 20 secrets through every way in which a night can fail: they must show nowhere that is not meant for them.

    python -m tests.campaigns.canaries

tries the paths of `tests.privacy.failure_paths`, and on a second shop a whole night of which every step fails first, with
gates, guard, e-mail tool and store that refuse, kills, a rebuild, a requeue, and Airflow's nights, red and green. After each path all
files of the home, and everything that was printed or logged, are searched. It prints the paths, what was searched, and the hits.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import stamina

from activation.approval import decide
from activation.http_api import HttpApi
from activation.past_lists import write_past_lists
from activation.sync import plan_destination, push_destination
from ingestion.requeue import requeue_source
from models.serving import scorer_for
from quality import gate
from regulars.airflow_run import DagFailed, run_dag
from regulars.command import run_command
from regulars.errors import ConfigurationError, GateFailed, GuardStopped, RegularsError, TryAgain
from regulars.rebuilds import rebuilt_night
from regulars.run import close_run, resume_run
from regulars.state import State
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import DuckDBWarehouse, EngineError
from scoring.match import write_segments
from scoring.reasons import write_reasons
from scoring.score import write_scores
from tests import object_store
from tests.campaigns.night_process import steps
from tests.privacy.canaries import PERSON, PERSONS, customer, is_in, secret
from tests.privacy.canary_shop import SECRETS, CanaryShop
from tests.privacy.failure_paths import AS_OF, SHORT, Quoting, failed_data_test, read_anew
from tests.referees.mailchimp import Audience, Server, contact_id, running

NEXT = date(2026, 3, 2)
DEPTHS = (0, 4, 12, 30)
"""How many statements a step may run before the engine fails."""
ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG)
from pathlib import Path
from regulars.home import Home
from regulars.warehouse import open_warehouse
from regulars.warehouse.duckdb import DuckDBWarehouse
from ingestion.extraction import extract_source
from ingestion.landing import land_source
from datetime import date
home, as_of, left = Home.from_environment(), date.fromisoformat(sys.argv[1]), int(sys.argv[2])
execute = DuckDBWarehouse.execute
def dying(self, sql, parameters=()):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    execute(self, sql, parameters)
if left:
    DuckDBWarehouse.execute = dying
    extract_source(home, "shop", as_of, "night")
    land_source(home, "shop", as_of, "night")
with open_warehouse(home) as warehouse:
    warehouse.execute("set memory_limit = '60MB'")
    warehouse.execute("create temporary table spilt as select email || range::varchar || md5(range::varchar) as x"
        " from private.customers, range(6000)")
    assert list((home.var / "spill").iterdir())
    os.kill(os.getpid(), 9)
"""


class Trial:
    """Tries paths, and searches after each."""

    def __init__(self, folder: Path):
        self.folder, self.hits = folder, dict[str, list[str]]()
        self.tried: list[str] = []
        self.searched = 0
        self._output = folder / "output.txt"
        self._read = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Everything that is printed or logged, by this process or by others that it starts, goes to a file."""
        kept = [os.dup(number) for number in (1, 2)]
        with self._output.open("a", buffering=1) as stream, redirect_stdout(stream), redirect_stderr(stream):
            handler = logging.StreamHandler(stream)
            logging.getLogger().addHandler(handler)
            logging.getLogger().setLevel(logging.DEBUG)
            for number in (1, 2):
                os.dup2(stream.fileno(), number)
            try:
                yield
            finally:
                logging.getLogger().removeHandler(handler)
                for number, descriptor in enumerate(kept, start=1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)

    def path(self, name: str, shop: CanaryShop, work: Callable[[], Any]) -> None:
        before = shop.searched
        broken: list[str] = []
        with self.listening():
            try:
                work()
            except Exception as error:
                broken = [f"the path did not end as expected: {error!r} at line {traceback.extract_tb(error.__traceback__)[-1]}"]
        output = self._output.read_bytes()
        found = [*broken, *shop.hits(), *(["printed or logged"] if is_in(output[self._read :]) else [])]
        shop.said.clear()
        self._read = len(output)
        self.tried.append(name)
        self.searched += max(shop.searched - before, 0)
        if found:
            self.hits[name] = found
        print(f"{'HIT ' if found else 'none'}  {name}{': ' if found else ''}{'; '.join(one[:300] for one in found)}", flush=True)


@contextmanager
def failing_engine(statements: int) -> Iterator[None]:
    """After so many statements the engine fails in words that quote a customer."""
    left = statements

    def poisoned(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: DuckDBWarehouse, *arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise EngineError(f"Conversion Error: Could not convert string '{PERSON}007@example.com' to INT32")
            return method(self, *arguments, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "rows", "arrow", "append"):
            patch.setattr(DuckDBWarehouse, name, poisoned(getattr(DuckDBWarehouse, name)))
        yield


def failing(shop: CanaryShop, work: Callable[[], Any], *, as_command: bool = False) -> Callable[[], None]:
    """The work, begun once for every depth with an engine that fails there."""

    def run() -> None:
        failed = 0
        for depth in DEPTHS:
            with failing_engine(depth):
                failed += bool(run_command(work)) if as_command else bool(shop.attempt(work))
        assert failed, "the engine was never asked"

    return run


def night(trial: Trial, shop: CanaryShop, server: Server) -> None:
    """Every step of a night, failing and then done; on its way the gates, the guard and the tool refuse."""
    audience = server.audience
    for name, work in steps(shop.home, AS_OF):
        if name == "push newsletter":
            tool_refuses(trial, shop, server)
            server.audience = audience
        if name != "open":
            trial.path(f"engine fails: {name}", shop, failing(shop, work))
        if name.startswith("check "):
            red_gate(trial, shop, name)
        if name == "plan newsletter":
            trial.path("guard stops", shop, lambda work=work: shop.fails(work, GuardStopped))
            with State(shop.home.state).connection() as connection:
                waiting = connection.execute("select plan_sha256 from plans where status = 'stopped'").fetchone()
            decide(shop.home, waiting["plan_sha256"], "approved", "the campaign")
        trial.path(f"done: {name}", shop, lambda name=name, work=work: shop.attempt(work) if name == "push newsletter" else work())


def red_gate(trial: Trial, shop: CanaryShop, name: str) -> None:
    table = {"raw": "staging.stg_orders", "features": "features.customer_features", "scores": "scores.customer_scores"}[name.split()[1]]
    spoiled = shop.copied(trial.folder / name.replace(" ", "-"))
    with open_warehouse(spoiled.home) as warehouse:
        warehouse.execute(f"delete from {table}")
    check = {"check raw": gate.check_raw, "check features": gate.check_features, "check scores": gate.check_scores}[name]
    trial.path(f"gate red: {name}", spoiled, lambda: spoiled.fails(lambda: check(spoiled.home, AS_OF), GateFailed))
    shutil.rmtree(spoiled.home.path)


def tool_refuses(trial: Trial, shop: CanaryShop, server: Server) -> None:
    audience = server.audience

    def push() -> None:
        push_destination(shop.home, AS_OF, "night", "newsletter")

    with pytest.MonkeyPatch.context() as patch:
        for status in (400, 403, 429, 500):
            server.audience = Quoting(audience, status)  # type: ignore[assignment]
            trial.path(f"e-mail tool answers {status}, quoting what it was sent", shop, lambda: shop.fails(push))
        patch.setitem(HttpApi.__init__.__kwdefaults__, "timeout_seconds", 0.3)
        server.audience = Quoting(audience, 0)  # type: ignore[assignment]
        trial.path("e-mail tool does not answer in time", shop, lambda: shop.fails(push, TryAgain))
    server.audience = audience
    for number in range(1, 9):
        address = f"{PERSON}{number:03d}@example.com"
        audience.refused_words[contact_id(address)] = f"{address} is in a compliance state" if number < 5 else f"{address} is {secret(9)}"


def store_refuses(trial: Trial, shop: CanaryShop) -> None:
    with object_store.running() as store:
        bucket = store.new_bucket()
        lists = {"type": "csv_folder"}
        reader = store.new_key("s3:ListBucket", "s3:GetObject", "s3:GetBucketLocation")
        keys = {"unknown key": (secret(10), secret(11)), "wrong key": (store.key_id, secret(11)), "key that may not write": reader}
        for name, (key_id, key) in keys.items():
            shop.send_to(lists=lists, bucket={"type": "s3", "path": f"{bucket.path}/lists", "endpoint_url": store.url})
            secrets = {"access_key_id": key_id, "secret_access_key": key}

            def send(secrets: dict[str, str] = secrets) -> None:
                try:
                    plan_destination(shop.home, AS_OF, "night", "bucket", secrets)
                except GuardStopped as stopped:
                    decide(shop.home, stopped.plan_sha256, "approved", "the campaign")  # type: ignore[attr-defined]
                push_destination(shop.home, AS_OF, "night", "bucket", secrets)

            trial.path(f"store refuses: {name}", shop, lambda send=send: shop.fails(send, RegularsError))
        shop.send_to(lists=lists, bucket={"type": "s3", "path": "s3://no-such-bucket", "endpoint_url": store.url})
        whole = {"access_key_id": store.key_id, "secret_access_key": store.key}

        def plan() -> None:
            plan_destination(shop.home, AS_OF, "night", "bucket", whole)

        trial.path("store refuses: no bucket", shop, lambda: shop.fails(plan, ConfigurationError))


def killed(trial: Trial, shop: CanaryShop) -> None:
    def kill(statements: int) -> None:
        shutil.rmtree(shop.home.extracts, ignore_errors=True)
        done = subprocess.run([sys.executable, "-c", KILLED, NEXT.isoformat(), str(statements)], cwd=ROOT, check=False)
        assert done.returncode == -9, "it was not killed"
        if not statements:
            assert list((shop.home.var / "spill").iterdir()), "nothing was spilt"
        with open_warehouse(shop.home):
            pass

    for statements in (1, 8, 20, 35):
        trial.path(f"kill -9 of ingestion before statement {statements}, and the next opening", shop, lambda n=statements: kill(n))
    trial.path("kill -9 while rows are spilt to disk, and the next opening", shop, lambda: kill(0))


def rebuild(shop: CanaryShop) -> None:
    with rebuilt_night(shop.home, AS_OF) as past:
        run, known = past.run, past.night
        scorer = scorer_for(run.home, past.warehouse, run.as_of, run.settings, known.model_version)
        write_scores(past.warehouse, run, scorer)
        write_segments(past.warehouse, run, known.contacts_known_until)
        write_reasons(past.warehouse, run, scorer)
        write_past_lists(past.warehouse, run, known.contacts_known_until)


def airflow_nights(trial: Trial, shop: CanaryShop) -> None:
    os.environ["REGULARS_CLOCK"] = f"{NEXT}T03:00:00"
    with open_warehouse(shop.home) as warehouse:
        warehouse.execute("create unique index one_city on private.customers (city)")
    file = shop.files / "customers.csv"
    before = file.read_text()
    file.write_text(before + customer(1).replace("1,", "1001,", 1))

    def red_night() -> None:
        assert "ConstraintException" in shop.fails(lambda: run_dag(shop.home, "night", NEXT), DagFailed)

    trial.path("Airflow's night, red", shop, red_night)
    with open_warehouse(shop.home) as warehouse:
        warehouse.execute("drop index private.one_city")
    file.write_text(before)
    trial.path("Airflow's night, green", shop, lambda: run_dag(shop.home, "night", NEXT))


def second_shop(trial: Trial, stack: ExitStack) -> CanaryShop:
    shop = CanaryShop(trial.folder / "second")
    os.environ.update(shop.environment)
    audience = Audience(api_key=SECRETS["MAILCHIMP_API_KEY"])
    for number in range(PERSONS):
        audience.add(f"{PERSON}{number:03d}@example.com")
    server = stack.enter_context(running(audience))
    newsletter = {"type": "mailchimp", "account_id": audience.account_id, "audience_id": audience.audience_id, "connection": "newsletter"}
    newsletter |= {"audience_name": audience.name, "base_url": server.url}
    destinations: dict[str, dict[str, Any]] = {"lists": {"type": "csv_folder"}, "newsletter": newsletter}
    shop.send_to(**destinations)
    night(trial, shop, server)
    trial.path("engine fails: rebuild", shop, failing(shop, lambda: rebuild(shop), as_command=True))
    trial.path("done: rebuild", shop, lambda: rebuild(shop))
    requeue = lambda: requeue_source(shop.home, "shop", AS_OF, "night")  # noqa: E731
    trial.path("engine fails: requeue", shop, failing(shop, requeue))
    trial.path("done: requeue, all of it bad again", shop, requeue)
    store_refuses(trial, shop)
    close_run(resume_run(shop.home, "night", AS_OF))
    os.environ["REGULARS_CLOCK"] = f"{NEXT}T03:00:00"
    shop.send_to(**destinations)
    killed(trial, shop)
    airflow_nights(trial, shop)
    return shop


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="canaries-") as folder, ExitStack() as stack:
        stack.enter_context(stamina.set_testing(True, attempts=2, cap=True))
        trial = Trial(Path(folder))
        first = CanaryShop(trial.folder / "first")
        os.environ.update(first.environment)
        for path in (*SHORT[:-1], failed_data_test, read_anew, SHORT[-1]):
            trial.path(path.__name__.replace("_", " "), first, lambda path=path: path(first))
        second_shop(trial, stack)
        size = (trial.folder / "output.txt").stat().st_size
    print(
        f"{len(trial.tried)} paths tried, {trial.searched} files searched and {size:,} bytes of output, "
        f"{len(trial.hits)} paths with hits; {time.monotonic() - begun:.0f} s"
    )
    return 1 if trial.hits else 0


if __name__ == "__main__":
    sys.exit(main())
