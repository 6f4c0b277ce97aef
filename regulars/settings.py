"""What a home's configuration says, as far as every stage needs it. Sources and destinations keep their own settings."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from regulars.configurations import configuration_hash
from regulars.home import Home
from regulars.object_place import ObjectPlace, ObjectStoreSettings, is_object_place
from regulars.yaml_file import Settings, YamlFile


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/London") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]


def _as_currency(code: str) -> str:
    if not re.fullmatch("[A-Z]{3}", code):
        raise ValueError(f"expected the three capitals of a currency's ISO 4217 code, such as EUR, not {code!r}")
    return code


Currency = Annotated[str, AfterValidator(_as_currency), Field(description="ISO 4217 code")]


class ShopSettings(Settings):
    """config/shop.yml"""

    name: str = Field(description="Name of the shop, as it stands on the report.")
    time_zone: TimeZone = Field(description="IANA time zone in which the shop's days begin.")
    currency: Currency = Field(description="Currency in which amounts are reported.")
    night_hour: int = Field(
        default=3, ge=0, le=23, description="Hour of the shop's standard time at which Airflow begins a night; an hour later in summer."
    )
    today: date | None = Field(
        default=None, description="For a shop whose calendar stands still, such as a sample: as_of of a run that is given none."
    )


class WarehouseSettings(Settings):
    """config/warehouse.yml, which may be missing: then the warehouse is a DuckDB file in the home."""

    engine: Literal["duckdb", "postgres"] = Field(default="duckdb", description="duckdb: a file in the home. postgres: a server.")
    connection: str | None = Field(
        default=None,
        min_length=1,
        description="Airflow connection that holds the server's address. Without one, and on the command line, "
        "REGULARS_WAREHOUSE_URL holds it.",
    )
    memory_share: float = Field(
        default=0.5,
        gt=0.0,
        le=0.9,
        description="Share of the machine's or container's memory that DuckDB takes before it spills to var/spill. A server has its own.",
    )


class TrainingSettings(Settings):
    """What the weekly training learns from."""

    cutoffs_count: int = Field(default=16, ge=1, le=60, description="Past cutoffs that are pooled, the latest first.")
    cutoff_step_days: int = Field(default=28, ge=1, le=365, description="Days between two cutoffs.")
    min_history_days: int = Field(default=56, ge=1, le=3650, description="Days of history that a cutoff needs before it.")
    max_rows: int = Field(default=100_000, ge=1_000, description="Customers times cutoffs above which whole customers are sampled.")
    min_customers: int = Field(default=500, ge=1, description="Customers below which no blend is trained.")
    min_outcomes: int = Field(
        default=100, ge=1, description="Customers of either outcome, churned or not, below which no blend is trained."
    )
    retrain_after_days: int = Field(default=7, ge=1, description="Age of the promoted model at which a night trains first.")
    promotion_tolerance: float = Field(
        default=0.02,
        ge=0.0,
        le=1.0,
        description="How far behind the best of what is simpler a rung may be and still serve: share of its mean loss, or Gini.",
    )


def _checked_registry_path(path: str) -> str:
    return str(ObjectPlace.parse(path)) if is_object_place(path) else path


class RegistrySettings(ObjectStoreSettings):
    """Where trained models stand."""

    path: Annotated[str, AfterValidator(_checked_registry_path)] = Field(
        default="var/models",
        min_length=1,
        description="Folder, from the home's, or s3://bucket/prefix. `registry: PATH` alone says the same.",
    )


def _as_registry(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class PredictionSettings(Settings):
    """config/prediction.yml"""

    churn_horizon_days: int = Field(default=90, ge=1, le=730, description="Days without an order that mean churn.")
    value_horizon_days: int = Field(default=365, ge=1, le=1095, description="Days over which the expected value counts.")
    formula_lifespan_years: float = Field(default=2.0, ge=1.0, le=3.0, description="Lifespan in the classical formula.")
    never_recommended: tuple[str, ...] = Field(
        default=(), description="Ids of products that are no goods to recommend, such as postage or a gift card."
    )
    keep_feature_nights: int = Field(
        default=7,
        ge=2,
        description="Nights whose features, reasons and next products stay in the warehouse; those of an older one can be computed again "
        "at any time.",
    )
    training: TrainingSettings = TrainingSettings()
    registry: Annotated[RegistrySettings, BeforeValidator(_as_registry)] = RegistrySettings()


def warehouse_settings(home: Home) -> WarehouseSettings:
    """Where the home's warehouse is.

    Raises:
        ConfigurationError: config/warehouse.yml is at fault.
    """
    file = home.warehouse_configuration
    return YamlFile(file).validated(WarehouseSettings) if file.exists() else WarehouseSettings()


class HomeSettings:
    """The validated configuration of one home.

    Raises:
        ConfigurationError: with file, line and key, at construction.
    """

    def __init__(self, home: Home):
        self.home = home
        self.shop = YamlFile(home.config / "shop.yml").validated(ShopSettings)
        self.prediction = YamlFile(home.config / "prediction.yml").validated(PredictionSettings)

    def config_hash(self) -> str:
        """SHA-256 over all YAML files of the configuration, names and bytes."""
        return configuration_hash(self.home.config)
