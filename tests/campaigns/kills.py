"""Nights that are killed (SIGKILL) and run again must end as the night that was not.

    python -m tests.campaigns.kills --random 100

kills an ordinary night of a small sample shop before every step and at random moments, its dbt included, runs it again until
it ends, and compares all that it leaves behind with a twin from the same start that nothing happened to.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from regulars.home import Home
from regulars.process import identity
from regulars.sample_shop_home import export_sample_shop
from regulars.warehouse.duckdb import connect
from tests.campaigns.night_process import Nights, Order, steps
from tests.campaigns.twins import differences, outcome
from tests.referees.mailchimp import Audience, Server, running

ROOT = Path(__file__).resolve().parents[2]
FIRST_NIGHT, SECOND_NIGHT = date(2025, 6, 24), date(2025, 7, 1)
CUSTOMERS = 300


@dataclass(frozen=True)
class Kill:
    """When a night is killed: before the step of a number, or so many seconds after its start."""

    before: int | None = None
    after: float | None = None

    def __str__(self) -> str:
        return f"before step {self.before}" if self.after is None else f"after {self.after:.1f} s"


@dataclass(frozen=True)
class Killed:
    """A night that was killed so often, and in what it ended otherwise than its twin."""

    kills: str
    hits: int
    differs: list[str]


class Shop:
    """A small shop after its first night, with Mailchimp's referee as second destination; `night` runs the next one in a copy."""

    def __init__(self, folder: Path, nights: Nights, server: Server):
        self._folder, self._nights, self._server = folder, nights, server
        self._copies = 0
        self._base = folder / "base"
        self._audience = self._first_night()
        begun = time.monotonic()
        _, self.twin = self.outcome_after([])
        self.seconds = time.monotonic() - begun

    def _first_night(self) -> Audience:
        shutil.copytree(ROOT / "config", self._base / "config")
        home = Home.at(self._base)
        destinations = {
            "lists": {"type": "csv_folder"},
            "newsletter": {
                "type": "mailchimp",
                "account_id": self._server.audience.account_id,
                "audience_id": self._server.audience.audience_id,
                "audience_name": self._server.audience.name,
                "base_url": self._server.url,
            },
        }
        (home.config / "destinations.yml").write_text(yaml.safe_dump({"destinations": destinations}, sort_keys=False))
        export_sample_shop(home, FIRST_NIGHT, CUSTOMERS)
        for number, address in enumerate(_addresses(home)):
            self._server.audience.add(address, "unsubscribed" if number % 40 == 0 else "cleaned" if number % 41 == 0 else "subscribed")
        self._nights.start(self._order(home, FIRST_NIGHT, approves=True))
        assert self._nights.status() == 0, (home.logs / "night.log").read_text()
        export_sample_shop(home, SECOND_NIGHT, CUSTOMERS)
        return copy.deepcopy(self._server.audience)

    def outcome_after(self, kills: Sequence[Kill]) -> tuple[int, dict[str, Any]]:
        """How many of the kills hit, and what the night leaves behind: killed so often, and then run until it ended."""
        home, hits = self.copy(), 0
        try:
            for kill in kills:
                group = self._nights.start(self._order(home, SECOND_NIGHT, dies_before=kill.before))
                if kill.after is not None:
                    time.sleep(kill.after)
                    kill_group(group)
                status = self._nights.status()
                hits += status == -signal.SIGKILL
                if status == 0:
                    return hits, outcome(home, self._server.audience)
                assert status == -signal.SIGKILL, f"exit code {status}\n{(home.logs / 'night.log').read_text()}"
            self._nights.start(self._order(home, SECOND_NIGHT))
            status = self._nights.status()
            assert status == 0, f"exit code {status}\n{(home.logs / 'night.log').read_text()}"
            return hits, outcome(home, self._server.audience)
        finally:
            shutil.rmtree(home.path)

    def ends_otherwise(self, home: Home) -> list[str]:
        """In what the night of a home ends otherwise than the twin's; the home is removed."""
        self._nights.start(self._order(home, SECOND_NIGHT))
        status = self._nights.status()
        assert status == 0, f"exit code {status}\n{(home.logs / 'night.log').read_text()}"
        found = differences(self.twin, outcome(home, self.audience))
        shutil.rmtree(home.path)
        return found

    def kill_when(self, home: Home, is_due: Callable[[], bool]) -> None:
        """Start the night of a home and kill it as soon as `is_due`, or let it end."""
        group = self._nights.start(self._order(home, SECOND_NIGHT))
        while not is_due() and not identity(group).endswith("@"):
            time.sleep(0.001)
        kill_group(group)
        self._nights.status()

    @property
    def audience(self) -> Audience:
        """What the tool holds now."""
        return self._server.audience

    @audience.setter
    def audience(self, audience: Audience) -> None:
        self._server.audience = audience

    def copy(self) -> Home:
        """The home before the night, and the tool as it was then."""
        self._copies += 1
        self._server.audience = copy.deepcopy(self._audience)
        folder = self._folder / f"home-{self._copies}"
        shutil.copytree(self._base, folder, symlinks=True)
        return Home.at(folder)

    def _order(self, home: Home, as_of: date, **options: Any) -> Order:
        environment = {"REGULARS_HOME": str(home.path), "MAILCHIMP_API_KEY": self._server.audience.api_key}
        return Order(str(home.path), as_of.isoformat(), environment | {"REGULARS_CLOCK": f"{as_of}T03:00:00"}, **options)

    def history(self, kills: Sequence[Kill]) -> Killed:
        """A night killed again and again, held against its twin."""
        hits, found = self.outcome_after(kills)
        return Killed(", ".join(str(kill) for kill in kills[:hits]) or "never", hits, differences(self.twin, found))

    def step_names(self) -> list[str]:
        return [name for name, _ in steps(Home.at(self._base), SECOND_NIGHT)]

    def boundaries(self) -> list[Kill]:
        return [Kill(before=number) for number in range(len(self.step_names()))]

    def moments(self, count: int, seed: int) -> list[Kill]:
        """Random moments of a night."""
        chance = random.Random(seed)  # noqa: S311 - no secret depends on it
        return [Kill(after=chance.uniform(0, self.seconds)) for _ in range(count)]


def kill_group(group: int) -> bool:
    """Whether any process of the group was there to be killed."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _addresses(home: Home) -> list[str]:
    with connect() as database:
        rows = database.execute(
            "select distinct email from read_csv(?, all_varchar = true, header = true) where email is not null order by 1",
            [str(home.var / "sample_shop" / "customers.csv")],
        ).fetchall()
    return [row[0] for row in rows]


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    with running(Audience()) as server, Nights() as nights:
        yield Shop(folder, nights, server)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--random", type=int, default=100, help="kills at random moments, besides one before every step (default: 100)")
    parser.add_argument("--in-a-row", type=int, default=10, help="kills that one night survives before it may end (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun, found = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, shop(Path(folder)) as killed_shop:
        print(f"a night takes {killed_shop.seconds:.1f} s and leaves {len(killed_shop.twin)} things that are compared", flush=True)
        boundaries, wanted = killed_shop.boundaries(), arguments.random + len(killed_shop.boundaries())
        # A night may end before it is killed so often: others take its place until all kills have hit.
        while (hits := sum(one.hits for one in found)) < wanted:
            kills, boundaries = boundaries[: arguments.in_a_row], boundaries[arguments.in_a_row :]
            kills += killed_shop.moments(min(arguments.in_a_row - len(kills), wanted - hits), arguments.seed + len(found))
            one = killed_shop.history(kills)
            found.append(one)
            print(f"killed {one.kills}: {'differs in ' + '; '.join(one.differs) if one.differs else 'same'}", flush=True)
    wrong = sum(bool(one.differs) for one in found)
    print(f"{hits} kills in {len(found)} nights, {wrong} of which ended otherwise than their twin; {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
