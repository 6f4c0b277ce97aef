"""The warehouse, whichever engine it stands on."""

from regulars.warehouse.duckdb import DuckDBWarehouse as DuckDBWarehouse
from regulars.warehouse.restoration import WarehouseRestored as WarehouseRestored
from regulars.warehouse.warehouse import Role as Role
from regulars.warehouse.warehouse import Warehouse as Warehouse
from regulars.warehouse.warehouse import lend_to_dbt as lend_to_dbt
from regulars.warehouse.warehouse import open_warehouse as open_warehouse
