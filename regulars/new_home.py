"""A new home for one's own orders file: commented YAML that needs only the shop's own words filled in."""

from __future__ import annotations

import shutil
from pathlib import Path

from regulars.errors import ConfigurationError

CATALOGUE = Path(__file__).resolve().parent.parent / "config"
"""The sample shop's configuration: its segments, destinations and predictions suit most shops to begin with."""

SHOP = """\
# The shop that this home is for.
name: My shop
time_zone: Europe/London   # IANA name; the shop's days begin at midnight here
currency: GBP              # amounts are reported in this currency
"""

SOURCES = """\
# Where the orders come from, and how your columns become ours. Put your export into orders.csv beside config/, or name
# its place below; gzip and Parquet are read too, and a path may be a folder or a pattern such as exports/orders_*.csv.
# docs/how-to/own-orders.md goes through every line.
sources:
  shop:
    type: files
    tables:
      orders:
        path: orders.csv
        # delimiter: ";"           # when it is no comma
        # encoding: cp1252         # when it is no UTF-8
        row_key: [order_id]        # columns that tell two rows apart; none, when equal rows are two orders
        columns:                   # canonical column: column of your file
          order_id: order_id
          account_id: customer_id
          ordered_at: ordered_at   # written otherwise? {column: ordered_at, format: "%d/%m/%Y %H:%M"}
          net_revenue: net_revenue # after discount, without tax and shipping
        # Rows that are no orders, each with a reason; the first rule that fits counts.
        # exclude:
        #   - reason: test order
        #     when: customer_id = 'test'
"""


def write_home(folder: Path) -> None:
    """Write the configuration of a new home into `folder`, touching nothing that is there.

    Raises:
        ConfigurationError: the folder has a configuration already.
    """
    config = folder / "config"
    if config.exists():
        raise ConfigurationError("there is a configuration already; choose another folder, or remove it first", file=config)
    config.mkdir(parents=True)
    (config / "shop.yml").write_text(SHOP, encoding="utf-8")
    (config / "sources.yml").write_text(SOURCES, encoding="utf-8")
    for name in ("prediction.yml", "destinations.yml"):
        shutil.copyfile(CATALOGUE / name, config / name)
    shutil.copytree(CATALOGUE / "segments", config / "segments")
    print(f"""A home stands in {folder}. Next:
  1. config/shop.yml      name, time zone and currency of your shop
  2. config/sources.yml   where your orders file is, and what its columns are called
  3. make night AS_OF=YYYY-MM-DD REGULARS_HOME={folder}""")
