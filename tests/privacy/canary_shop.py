"""A shop whose customers and secrets are all canaries, and everything that it lets the outside see."""

from __future__ import annotations

import copy
import json
import shutil
import traceback
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from regulars.errors import RegularsError
from regulars.home import Home
from regulars.state import State
from tests.privacy.canaries import HEADER, PERSON, PERSONS, customer, holds_one, is_in, secret

ALLOWED = (
    "shop/",
    "var/extracts/",
    "var/lists/",
    "var/rebuilds/",
    "var/airflow/fernet.key",
    "var/airflow/api.key",
    "var/airflow/jwt.key",
    "var/airflow/passwords.json",
)
"""Where canaries may be, in files that nobody else can read."""
BAD = range(PERSONS - 20, PERSONS)
ORDERS = "order_id,account_id,email,ordered_at,net_revenue,comment\n"
SECRETS = {
    "AWS_ACCESS_KEY_ID": secret(3),
    "AWS_SECRET_ACCESS_KEY": secret(4),
    "MAILCHIMP_API_KEY": f"{secret(5)}-us7",
    "REGULARS_WAREHOUSE_URL": f"postgresql://shop:{secret(6)}@127.0.0.1:9/shop",
    "AIRFLOW_CONN_SHOP_FILES": json.dumps({"conn_type": "aws", "login": secret(1), "password": secret(2)}),
    "AIRFLOW_CONN_NEWSLETTER": json.dumps({"conn_type": "http", "password": f"{secret(5)}-us7"}),
    "AIRFLOW_CONN_BUCKET": json.dumps({"conn_type": "aws", "login": secret(10), "password": secret(11)}),
}
"""7 to 9 and 12 to 16 are planted where a path makes a mistake with them; 17 to 20 are Airflow's own, and 0 the home's."""
LOYAL = "title: Loyal\nwho: orders_count >= 1\nwhy: W.\noffer: T\npriority: 1\nmembership: lasting\n"


class CanaryShop:
    """`said` is what errors said, by the name of the path that is tried."""

    def __init__(self, folder: Path):
        config, self.files = folder / "config", folder / "shop"
        for made in (config / "segments", self.files):
            made.mkdir(parents=True)
        (config / "shop.yml").write_text("name: Shop\ntime_zone: UTC\ncurrency: EUR\n")
        (config / "prediction.yml").write_text("{}\n")
        (config / "segments" / "loyal.yml").write_text(LOYAL)
        (config / "sources.yml").write_text("sources:\n  shop: {type: files, path: shop, connection: shop_files}\n")
        self.home = Home.at(folder)
        self.send_to(lists={"type": "csv_folder"})
        self.write_files()
        airflow = self.home.private_folder(self.home.var / "airflow")
        fernet = f"{secret(17):A<43}="
        for name, text in (
            ("fernet.key", fernet),
            ("api.key", secret(18)),
            ("jwt.key", secret(19)),
            ("passwords.json", f'{{"admin": "{secret(20)}"}}'),
        ):
            (airflow / name).write_text(text)
            (airflow / name).chmod(0o600)
        with State(self.home.state).transaction() as connection:
            connection.execute("insert into home_keys values ('control_salt', ?)", [secret(0)])
        self.environment = {"REGULARS_CLOCK": "2026-03-01T03:00:00", "REGULARS_HOME": str(folder), **SECRETS}
        self.said: list[str] = []
        self._clean: dict[Path, tuple[int, int]] = {}

    def write_files(self) -> None:
        """Customers of whom 20 cannot be read, their orders in another column that nobody knows, guests, and whom we may write to."""
        good = "".join(customer(number) for number in range(PERSONS) if number not in BAD)
        bad = "".join(customer(number, birth_date=f"{PERSON}-odd") for number in BAD[:-2])
        (self.files / "customers.csv").write_text(
            HEADER + good + bad + f"{BAD[-2]},{PERSON}498\n{BAD[-1]},{PERSON}499@example.com,too,few\n"
        )
        orders = [f"{n},{n % PERSONS},,{_day(n)},{n % 90 + 10},for {PERSON}{n % PERSONS:03d}" for n in range(1_500)]
        orders += [f"{n},,{PERSON}-guest{n}@example.com,{_day(n)},5,{PERSON}" for n in range(1_500, 1_560)]
        orders += [f"1560,1,,{PERSON},5,", f"1561,1,,2026-02-01,{PERSON},"]
        (self.files / "orders.csv").write_text(ORDERS + "\n".join(orders) + "\n")
        consents = "".join(f"{number},email,granted,2025-01-01,{PERSON}{number:03d}\n" for number in range(PERSONS))
        (self.files / "consents.csv").write_text("account_id,channel,status,changed_at,ip\n" + consents)

    def send_to(self, **destinations: dict[str, Any]) -> None:
        (self.home.config / "destinations.yml").write_text(yaml.safe_dump({"destinations": destinations}))

    def fails(self, work: Callable[[], Any], kind: type[BaseException] = RegularsError) -> str:
        """What the error says that the work ends with."""
        said = self.attempt(work, kind)
        assert said, f"nothing failed, and {kind.__name__} was expected"
        return said

    def attempt(self, work: Callable[[], Any], kind: type[BaseException] = Exception) -> str:
        """All that a log would show of an error that the work ends with, code lines left out; nothing when it ends well."""
        try:
            work()
        except kind as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=False)
            self.said.append("".join(shown.format_exception_only()) + "".join(_chain(shown)))
            return self.said[-1]
        return ""

    def copied(self, folder: Path) -> CanaryShop:
        """The shop as it is now, to be spoiled elsewhere."""
        twin = copy.copy(self)
        shutil.copytree(self.home.path, folder, symlinks=True)
        twin.home, twin.files, twin.said, twin._clean = Home.at(folder), folder / "shop", [], {}
        return twin

    def hits(self) -> list[str]:
        """Where canaries show that must not, of what was said and of the files of the home since the last time."""
        found = [f"said: {text}" for text in self.said if is_in(text.encode())]
        for file in sorted(self.home.path.rglob("*")):
            name = str(file.relative_to(self.home.path))
            if not file.is_file() or file.is_symlink() or self._clean.get(file) == _stamp(file):
                continue
            stamp, is_found = _stamp(file), holds_one(file)
            if not is_found:
                self._clean[file] = stamp
            elif not name.startswith(ALLOWED):
                found.append(name)
            elif not name.startswith("shop/") and file.stat().st_mode & 0o077:
                found.append(f"{name} can be read by others")
        return found

    @property
    def searched(self) -> int:
        return len(self._clean)


def _stamp(file: Path) -> tuple[int, int]:
    return file.stat().st_mtime_ns, file.stat().st_size


def _chain(shown: traceback.TracebackException) -> list[str]:
    before = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return [] if before is None else [*before.format_exception_only(), *_chain(before)]


def _day(number: int) -> date:
    return date(2026, 2, 28) - timedelta(days=number * 7 % 290)
