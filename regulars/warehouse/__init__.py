"""The warehouse, whichever engine it stands on."""

from regulars.warehouse.duckdb import DuckDBWarehouse as DuckDBWarehouse
from regulars.warehouse.warehouse import Warehouse as Warehouse
from regulars.warehouse.warehouse import open_warehouse as open_warehouse
