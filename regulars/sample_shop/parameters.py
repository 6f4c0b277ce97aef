"""What fixes a sample shop: its seed, its size and the distributions that its customers are drawn from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from regulars.errors import ConfigurationError


@dataclass(frozen=True)
class ShopParameters:
    """All that a sample shop depends on: equal parameters give equal shops, to the byte.

    Rates are per day of the shop's own clock (`clock.ShopClock`), whose days are as long as calendar days on average.
    Letters are those of the literature: purchases and dropout are Pareto/NBD (Schmittlein, Morrison and Colombo 1987,
    "Counting Your Customers"), order values Gamma-Gamma (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value").
    """

    seed: int = 20260101
    customers: int = 20_000
    """People who order for the first time within `days`; more arrive, at the same growing rate, within `future_days`."""
    start: date = date(2023, 1, 1)
    days: int = 913
    future_days: int = 365
    """Days simulated after the history: what the truth about the history's last day is read from."""
    time_zone: str = "Europe/Berlin"
    currency: str = "EUR"

    r: float = 1.4
    """Shape of the purchase rates, λ ~ Gamma(r, α)."""
    alpha: float = 310.0
    """Rate (inverse scale, days) of the purchase rates."""
    s: float = 0.5
    """Shape of the dropout rates, μ ~ Gamma(s, β)."""
    beta: float = 140.0
    """Rate (inverse scale, days) of the dropout rates."""
    p: float = 5.0
    """Shape of one customer's order values, Gamma(p, ν)."""
    q: float = 5.0
    """Shape of ν ~ Gamma(q, γ) over the customers; more than 1, so that the mean order value pγ / (q − 1) exists."""
    gamma: float = 48.0
    """Rate of ν, in currency."""

    growth_per_year: float = 0.25
    """Arrivals of one year over those of the year before, minus one."""
    month_weights: tuple[float, ...] = (0.95, 0.85, 0.90, 0.95, 0.95, 0.90, 0.85, 0.80, 0.95, 1.00, 1.20, 1.25)
    advent_weight: float = 1.5
    """Weight of 20 November to 20 December on top of the month's."""
    weekday_weights: tuple[float, ...] = (1.10, 1.00, 0.95, 0.95, 0.85, 0.90, 1.25)
    """Monday to Sunday."""
    hour_weights: tuple[float, ...] = (2, 1, 0.5, 0.3, 0.3, 0.5, 1.5, 3, 4, 5, 5.5, 5.5, 5.5, 5, 5, 5, 5.5, 6, 7, 8.5, 9, 8, 6, 4)
    """Shop time, from midnight."""

    guest_share: float = 0.30
    """People whose first order is a guest's."""
    guest_registers_share: float = 0.35
    """Of those, the ones who open an account later, under the same address in another spelling."""
    registration_delay_days: float = 45.0
    """Mean (exponential) days from the first order to that account."""
    logged_out_share: float = 0.03
    """Orders that people with an account place as guests all the same."""

    refund_share: float = 0.08
    whole_refund_share: float = 0.40
    """Of the refunds, those of a whole order; the others give back units of one line."""
    refund_delay_days: tuple[float, float] = (3.0, 30.0)
    """Shortest and longest days from the order to its refund; the early ones are the more frequent."""
    disappointment_factor: float = 1.6
    """What the first disappointing order multiplies the customer's dropout rate by; its refund comes days later. At least 1."""

    consent_shares: tuple[float, float, float] = (0.70, 0.10, 0.20)
    """At the first order: granted, denied, nothing said."""
    consent_change_shares: tuple[float, float, float] = (0.13, 0.05, 0.15)
    """Of those, the ones who deny, grant and grant later."""
    consent_delay_days: float = 120.0
    """Mean (exponential) days from the first order to that change."""

    def __post_init__(self) -> None:
        for name in ("customers", "days", "r", "alpha", "s", "beta", "p", "gamma"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"Must be more than 0, is {getattr(self, name)}.", key=name)
        if self.future_days < 0:
            raise ConfigurationError(f"Must be 0 or more, is {self.future_days}.", key="future_days")
        if self.q <= 1:
            raise ConfigurationError(f"Must be more than 1, or order values have no mean; is {self.q}.", key="q")
        if self.disappointment_factor < 1:
            raise ConfigurationError(f"Must be at least 1, is {self.disappointment_factor}.", key="disappointment_factor")
        for name, length in (("month_weights", 12), ("weekday_weights", 7), ("hour_weights", 24)):
            weights = getattr(self, name)
            if len(weights) != length or min(weights) <= 0:
                raise ConfigurationError(f"Must be {length} weights above 0, is {weights}.", key=name)
        for field in fields(self):
            if field.name.endswith("_share") and not 0 <= getattr(self, field.name) <= 1:
                raise ConfigurationError(f"Must lie between 0 and 1, is {getattr(self, field.name)}.", key=field.name)
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigurationError(f"Must be an IANA time zone, is {self.time_zone!r}.", key="time_zone") from error

    def to_json(self) -> str:
        """As stored beside the truth, so that the truth can be read without the shop."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ShopParameters:
        """Inverse of `to_json`."""
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}
        return cls(**{**values, "start": date.fromisoformat(values["start"])})
