"""One script by hand: the sample shop's files → features → predictions → lists, with nothing but DuckDB and the trained model.

What a night is measured against. It knows this one shop: no other source, no second version of a row, no bad row, no history of
what was known when, no gate, no guard, no ledger, and no second run; yesterday's lists are the only state that it reads.
Of what a night has made it takes the trained model, whose own code predicts batch after batch, ranks products and words reasons, the key
of the guests' pseudonyms and the salt of the control group, so that the two can be compared customer by customer.
"""

from __future__ import annotations

import argparse
import hmac
import json
import sqlite3
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from benchmarks.bare_queries import FEATURES, LISTS, MATCHES, ORDERS, PERSONS, READ, SHOWN
from benchmarks.bare_tables import BareTables
from models.registry import decisions, load_model
from models.trained_model import TrainedModel
from regulars.home import Home

ROWS_PER_BATCH = 500_000


class Script:
    """The script's steps, one after another on one connection."""

    def __init__(self, home: Path, as_of: date, lists: Path, yesterday: Path | None, kept: Path):
        self._home, self._as_of, self._lists, self._yesterday, self._kept = home, as_of, lists, yesterday, kept
        self._db = duckdb.connect(config={"autoinstall_known_extensions": "false", "temp_directory": str(lists.parent / "spill")})
        self._db.execute("set TimeZone = 'UTC'")
        self._settings = yaml.safe_load((home / "config" / "prediction.yml").read_text())
        self.seconds: dict[str, float] = {}

    def run(self) -> None:
        for step in (self.read, self.features, self.predict, self.match, self.tell, self.write, self.keep):
            begun = time.monotonic()
            step()
            self.seconds[step.__name__] = time.monotonic() - begun

    def read(self) -> None:
        self._db.execute(READ.format(files=self._files))
        key = bytes.fromhex((self._home / "var" / "state" / "pseudonym.key").read_text().strip())
        addresses = [address for (address,) in self._db.execute("select address from guests").fetchall()]
        ids = ["guest-" + hmac.digest(key, address.encode(), "sha256").hex()[:16] for address in addresses]
        guest_ids = pa.table({"address": pa.array(addresses, pa.string()), "guest_id": pa.array(ids, pa.string())})
        self._db.register("guest_ids", guest_ids)
        self._db.execute(PERSONS)

    def features(self) -> None:
        numbers = {
            "files": self._files,
            "as_of_day": (self._as_of - date(1970, 1, 1)).days,
            "churn_days": self._settings["churn_horizon_days"],
            "lifespan_years": float(self._settings["formula_lifespan_years"]),
        }
        self._db.execute(ORDERS.format(**numbers))
        self._db.execute(FEATURES.format(**numbers))

    def predict(self) -> None:
        home = Home.at(self._home)
        model = load_model(home, decisions(home)[-1])
        if not isinstance(model, TrainedModel):
            raise RuntimeError(f"{self._home}: the blend does not serve; make the shop larger")
        columns = ", ".join(feature.name for feature in model.encoding.features)
        parts = []
        for batch in self._db.sql(f"select customer_id, {columns} from features").to_arrow_reader(ROWS_PER_BATCH):
            prediction = model.predict(batch)
            figures = {
                "churn_probability": prediction.churn_probability,
                "expected_value": prediction.expected_value,
                "value_at_risk": prediction.value_at_risk,
            }
            parts.append(pa.table({"customer_id": batch.column("customer_id"), **figures}))
        self._db.register("predicted", pa.concat_tables(parts))
        first_night = self._as_of if self._yesterday is None else self._as_of - timedelta(days=1)
        self._tables = BareTables(self._db, home, self._as_of, first_night, self._files)
        self._db.execute(
            f"create temporary table scores as select * from predicted left join ({self._tables.favourites_sql()}) using (customer_id)"
        )
        self._db.unregister("predicted")

    def match(self) -> None:
        with sqlite3.connect(self._home / "var" / "state" / "state.sqlite") as state:
            (salt,) = state.execute("select value from home_keys where name = 'control_salt'").fetchone()
        segments = self._segments()
        self._db.register("segments", pa.Table.from_pylist([{k: v for k, v in one.items() if k != "who"} for one in segments]))
        fits = " union all ".join(
            f"select customer_id, '{one['segment']}' as segment from features inner join scores using (customer_id) where {one['who']}"
            for one in segments
        )
        self._db.execute(MATCHES.format(fits=fits), [salt])
        types = "segment varchar, customer_id varchar, entered_on date, expires_on date, offer varchar"
        self._db.execute(f"create temporary table yesterday ({types})")
        if self._yesterday:
            self._db.execute(
                "insert into yesterday select parse_filename(filename, true), customer_id, entered_on, expires_on, offer "
                f"from read_csv('{self._yesterday}/*.csv', all_varchar = true, filename = true)"
            )
        self._db.execute(LISTS, {"as_of": self._as_of})

    def tell(self) -> None:
        self._tables.tell()

    def write(self) -> None:
        self._lists.mkdir(parents=True)
        for (segment,) in self._db.execute("select segment from segments").fetchall():
            self._db.execute(
                f"copy ({SHOWN} where segment = '{segment}' order by rank desc, customer_id) to '{self._lists / segment}.csv' (header true)"
            )

    def keep(self) -> None:
        """For the comparison; no part of the work."""
        self._db.execute(f"copy (select * from features inner join scores using (customer_id)) to '{self._kept}'")

    @property
    def _files(self) -> Path:
        return self._home / "var" / "sample_shop"

    def _segments(self) -> list[dict[str, Any]]:
        found = []
        for file in sorted((self._home / "config" / "segments").glob("*.yml")):
            one = yaml.safe_load(file.read_text())
            found.append(
                {
                    "segment": file.stem,
                    "who": one["who"],
                    "channel": one["channel"],
                    "priority": one["priority"],
                    "offer": one["offer"],
                    "valid_until": self._as_of + timedelta(days=14),
                    "is_transient": one["membership"] == "transient",
                    "expires_on": self._as_of + timedelta(days=one["held_days"] - 1) if one["membership"] == "transient" else None,
                    "size_cap": one.get("size_cap") or 2**62,
                    "threshold": f"{round(one['control_share'] * 16**8):08x}",
                }
            )
        return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--lists", type=Path, required=True, help="folder to write")
    parser.add_argument("--yesterday", type=Path, help="folder of the lists of the day before")
    parser.add_argument("--keep", type=Path, required=True, help="Parquet file for features and predictions, to compare them")
    options = parser.parse_args()
    script = Script(options.home, options.as_of, options.lists, options.yesterday, options.keep)
    script.run()
    print(json.dumps(script.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
