"""How much the customer base may change between two nights: config/quality.yml, which may be missing."""

from __future__ import annotations

from pydantic import Field

from regulars.home import Home
from regulars.yaml_file import Settings, YamlFile


class GateLimits(Settings):
    """config/quality.yml"""

    customers_shrink_share: float = Field(
        default=0.02, ge=0.0, le=1.0, description="Share of the customers that may be gone since the last night that passed."
    )
    customers_grow_share: float = Field(
        default=0.5, ge=0.0, description="Share by which the customers may grow in 31 days since the last night that passed."
    )
    still_days: int = Field(
        default=14, ge=1, le=365, description="Days without a single order that are always believed; a shop with rare orders is given more."
    )


def load_limits(home: Home) -> GateLimits:
    """The home's limits, or the defaults where it sets none.

    Raises:
        ConfigurationError: the file is at fault.
    """
    file = home.config / "quality.yml"
    return YamlFile(file).validated(GateLimits) if file.exists() else GateLimits()
