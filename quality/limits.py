"""How much may change between two nights: config/quality.yml, which may be missing."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from regulars.home import Home
from regulars.yaml_file import Settings, YamlFile


class GateLimits(Settings):
    """config/quality.yml"""

    customers_shrink_share: float = Field(
        default=0.02,
        ge=0.0,
        le=1.0,
        description="Share of the customers, or of a table's rows, that may be gone since the last good night.",
    )
    customers_grow_share: float = Field(
        default=0.5, ge=0.0, description="Share by which customers and tables may grow in 31 days since the last good night."
    )
    still_days: int = Field(
        default=14, ge=1, le=365, description="Days without a single order that are always believed; a shop with rare orders is given more."
    )
    volume_share: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Share of the same weekday's median of four weeks below which a day's orders are not believed.",
    )
    quiet_dates: tuple[date, ...] = Field(
        default=(), description="Days without a promise of orders, such as holidays: [2025-12-25, 2025-12-26]."
    )
    consent_lost_share: float = Field(
        default=0.01, ge=0.0, le=1.0, description="Share of the accounts whose consent may have become unknown since the last good night."
    )
    quarantined_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of the rows that a night reads of a table which may go to quarantine."
    )
    drift_warn: float = Field(
        default=0.1, gt=0.0, description="PSI of a feature or score since the last good night above which a night warns."
    )
    drift_stop: float = Field(
        default=0.2, gt=0.0, description="PSI of a feature or score since the last good night above which a night stops."
    )
    calibration_warn: float = Field(
        default=1.3,
        gt=1.0,
        description="Factor by which, beyond chance, the orders or the revenue of a horizon that has passed may be off what was said "
        "before a night warns and a training is due.",
    )


def load_limits(home: Home) -> GateLimits:
    """The home's limits, or the defaults where it sets none.

    Raises:
        ConfigurationError: the file is at fault.
    """
    file = home.config / "quality.yml"
    return YamlFile(file).validated(GateLimits) if file.exists() else GateLimits()
