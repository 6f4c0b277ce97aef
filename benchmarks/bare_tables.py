"""The script's tables under the names that the predictions of tastes and the reasons ask for them by.

What ranks products and words reasons is ours as the trained model is: no bare engine knows of either. So the script calls the same
code, on its own tables.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from models.purchases import Knowledge
from models.registry import decisions
from models.serving import scorer_for
from models.tastes import category_affinity_of
from regulars.home import Home
from regulars.run import Run
from regulars.settings import HomeSettings
from regulars.state import State
from regulars.tables import CUSTOMER_REASONS, NEXT_PRODUCTS
from regulars.warehouse.duckdb import COLUMN_TYPES, DuckDBWarehouse
from scoring.next_products import write_next_products
from scoring.reasons import write_reasons

ALWAYS = "timestamp '1970-01-01' as known_at, cast(null as timestamp) as superseded_at"

VIEWS = """
create schema if not exists control; create schema if not exists staging; create schema if not exists intermediate;
create schema if not exists features; create schema if not exists scores; create schema if not exists segments;
create view control.nights as
    select unnest([date '{first_night}', date '{as_of}']) as as_of_date, timestamp '{known_until}' as known_until,
        cast(null as timestamp) as contacts_known_until, '' as run_id, '' as config_hash, cast(null as varchar) as model_version;
create view control.feature_slices as select date '{as_of}' as as_of_date, cast(null as varchar) as sampled_below;
create view intermediate.int_orders as
    select 'bare' as source, order_id, customer_id, ordered_day, cast(null as bigint) as cancelled_day, {always} from customer_orders;
create view intermediate.int_as_of_orders as select ordered_day, is_discounted, date '{as_of}' as as_of_date from kept_orders;
create view intermediate.int_refund_allocations as
    select 'bare' as source, order_id, product_id, quantity, refunded_day, {always} from refunds;
create view staging.stg_order_lines as
    select 'bare' as source, *, cast(null as varchar) as product_name, cast(null as timestamp) as ordered_at, {always}
    from order_lines;
create view staging.stg_products as
    select 'bare' as source, product_id, product_name, category, lifespan_days, {always}
    from read_csv('{files}/products*/**/*.csv', header = true);
create view features.customer_features as select *, date '{as_of}' as as_of_date from features
"""

LISTED = """
create view segments.segment_memberships as
    select segment, customer_id, contact_permission, date '{as_of}' as as_of_date from lists;
create view scores.customer_scores as select *, date '{as_of}' as as_of_date, '{version}' as model_version from scores;
create view segments.plays as
    select segment, customer_id, date '{as_of}' - 1 as as_of_date from yesterday where offer is not null
"""


class BareTables(DuckDBWarehouse):
    """A connection that is there already, with nobody to share it with."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, home: Home, as_of: date, first_night: date, files: Path):
        self._connection = connection
        self._is_in_transaction = False
        self._as_of = as_of
        known_until = datetime.combine(as_of + timedelta(days=1), time())
        self.execute(VIEWS.format(first_night=first_night, as_of=as_of, known_until=known_until, files=files, always=ALWAYS))
        self._run = Run(home, HomeSettings(home), State(home.state), "bare", "night", as_of, known_until.replace(tzinfo=UTC))
        self._version = decisions(home)[-1].version

    def favourites_sql(self) -> str:
        known = Knowledge.at(self, self._as_of, self._run.settings.shop.time_zone)
        return category_affinity_of(self._run.home, self._version).favourites_sql(known)

    def tell(self) -> None:
        """Make scores.next_products and scores.customer_reasons of who stands in `lists`."""
        self.execute(LISTED.format(as_of=self._as_of, version=self._version))
        for table in (NEXT_PRODUCTS, CUSTOMER_REASONS):
            columns = ", ".join(f"{column.name} {COLUMN_TYPES[column.type]}" for column in table.columns)
            self.execute(f"create table {table.qualified_name} ({columns})")
        write_next_products(self, self._run)
        write_reasons(self, self._run, scorer_for(self._run.home, self, self._as_of, self._run.settings))
