"""A sample shop, simulated as a whole and exported night by night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regulars.sample_shop import export as files
from regulars.sample_shop.baskets import Baskets, fill_baskets
from regulars.sample_shop.catalogue import Catalogue, catalogue
from regulars.sample_shop.clock import ShopClock
from regulars.sample_shop.columns import FIRST_NUMBER
from regulars.sample_shop.consents import Consents, ask_consents
from regulars.sample_shop.export import ExportCounts
from regulars.sample_shop.files import write_parquet
from regulars.sample_shop.identities import Identities, identify
from regulars.sample_shop.lives import NEVER, Lives, OrderTimes, live
from regulars.sample_shop.parameters import ShopParameters
from regulars.sample_shop.refunds import Refunds, give_back
from regulars.sample_shop.truth import truth_of


@dataclass(frozen=True)
class Shop:
    """Everything that happens in the shop, its future included; what an export shows is cut out of it.

    Because nothing is drawn anew for an export, and all rows and numbers go by time, an export until a later day begins
    with the rows of every earlier one.
    """

    parameters: ShopParameters
    clock: ShopClock
    goods: Catalogue
    lives: Lives
    identities: Identities
    times: OrderTimes
    baskets: Baskets
    refunds: Refunds
    consents: Consents

    @cached_property
    def account_holders(self) -> NDArray[np.int32]:
        """People with an account, in order of registration; shape (accounts,)."""
        people = np.flatnonzero(self.identities.registered != NEVER).astype(np.int32)
        holders = np.empty_like(people)
        holders[self.identities.account[people]] = people
        return holders

    @cached_property
    def product_ids(self) -> tuple[str, ...]:
        """The shop's own ids of `goods`, in their order."""
        return tuple(f"P{FIRST_NUMBER['product'] + place}" for place in range(len(self.goods.names)))

    def export(self, folder: Path, until: date, since: date | None = None) -> ExportCounts:
        """Writes what the shop's nightly export holds of all before `until` (start of that day in shop time) into `folder`.

        With `since`, only the rows that an export until that day has not, as a shop sends them that exports what is new.

        orders, order_lines and refunds as Parquet; customers, products and consents as CSV. Columns have the canonical
        names of `regulars.tables`; what a guest ordered or consented to carries an e-mail address and no account_id.
        Each file is written aside and put in place as a whole.
        """
        return files.export(self, folder, self.clock.seconds_at(until), None if since is None else self.clock.seconds_at(since))

    def write_truth(self, folder: Path) -> None:
        """Writes truth.parquet (`truth.truth_of`) into `folder`, which no pipeline may read."""
        folder.mkdir(parents=True, exist_ok=True)
        table = truth_of(self)
        write_parquet(folder / "truth.parquet", table.schema, [table.columns])


def simulate(parameters: ShopParameters) -> Shop:
    """Simulates the shop from its opening to the end of `future_days`."""
    clock, goods = ShopClock.of(parameters), catalogue()
    end = int(clock.edges[-1])
    lives, times = live(parameters, clock)
    identities = identify(parameters, lives, end)
    baskets = fill_baskets(parameters, goods, lives, identities, times)
    refunds = give_back(parameters, times, baskets)
    consents = ask_consents(parameters, lives, end)
    return Shop(parameters, clock, goods, lives, identities, times, baskets, refunds, consents)
