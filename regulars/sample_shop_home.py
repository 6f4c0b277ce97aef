"""The sample shop as a source: its export in the home, as it stands at a date."""

from __future__ import annotations

import time
from datetime import date

from regulars.home import Home
from regulars.progress import say
from regulars.sample_shop import ShopParameters, simulate

FOLDER = "sample_shop"


def export_sample_shop(home: Home, until: date, customers: int = ShopParameters.customers) -> None:
    """Write the sample shop's export of all before `until` into the home; nothing is done when it stands there already."""
    parameters = ShopParameters(customers=customers)
    folder = home.private_folder(home.var / FOLDER)
    marker = folder / "exported"
    wanted = f"{parameters} until {until}"
    if marker.exists() and marker.read_text() == wanted:
        say(f"The sample shop stands as of {until}.")
        return
    marker.unlink(missing_ok=True)
    begun = time.monotonic()
    shop = simulate(parameters)
    counts = shop.export(folder, until)
    shop.write_truth(home.private_folder(home.var / "sample_shop_truth"))
    marker.write_text(wanted)
    say(f"Simulated the sample shop until {until}: {counts.orders:,} orders of {customers:,} people ({time.monotonic() - begun:.1f} s)")
