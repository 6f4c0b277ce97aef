"""The dbt tables that reasons for leaving are looked for in, empty."""

from regulars.warehouse import Warehouse


def create_facts(warehouse: Warehouse) -> None:
    for schema in ("staging", "intermediate"):
        warehouse.execute(f"create schema if not exists {schema}")
    versions = "known_at timestamp, superseded_at timestamp"
    warehouse.execute(f"create table intermediate.int_orders (customer_id varchar, ordered_day bigint, cancelled_day bigint, {versions})")
    warehouse.execute(f"create table staging.stg_products (category varchar, lifespan_days bigint, {versions})")
    warehouse.execute("create table intermediate.int_as_of_orders (as_of_date date, ordered_day bigint, is_discounted boolean)")
