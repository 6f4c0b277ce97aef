"""Figures as people write them: thousands separators, currency signs, per cent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "INR": "₹", "PLN": "zł\N{NO-BREAK SPACE}"}


def count(number: float) -> str:
    """12,345"""
    return f"{number:,.0f}".replace("-", "−")


def change(number: float) -> str:
    """+12, −3 or 0"""
    return f"{number:+,.0f}".replace("-", "−") if round(number) else "0"


def percent(share: float, digits: int = 0) -> str:
    """A share between 0 and 1 as 46 %; a small one that is not nothing as < 1 %."""
    text = f"{share * 100:.{digits}f}"
    if share > 0 and float(text) == 0:
        return f"<{NARROW_SPACE}{10**-digits:.{digits}f}{NARROW_SPACE}%"
    return f"{text}{NARROW_SPACE}%".replace("-", "−")


def long_date(day: date) -> str:
    """1 July 2025"""
    return f"{day.day} {day:%B %Y}"


def short_date(day: date) -> str:
    """1 Jul 2025"""
    return f"{day.day} {day:%b %Y}"


def moment(at: datetime) -> str:
    """1 July 2025, 03:00 UTC"""
    return f"{long_date(at)}, {at:%H:%M} UTC"


def plural(number: float, one: str, many: str) -> str:
    return f"{count(number)} {one if number == 1 else many}"


@dataclass(frozen=True)
class Money:
    """Amounts of one currency."""

    currency: str

    def full(self, amount: float) -> str:
        """€12,345, or €12.30 below a hundred"""
        digits = 0 if abs(amount) >= 100 or amount == int(amount) else 2
        return self._signed(amount, f"{abs(amount):,.{digits}f}")

    def short(self, amount: float) -> str:
        """€1.2m, €340k, €85"""
        for size, suffix in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
            if abs(amount) >= size * 0.9995:
                scaled = abs(amount) / size
                return self._signed(amount, f"{scaled:.{0 if scaled >= 99.95 else 1}f}".removesuffix(".0") + suffix)
        return self._signed(amount, f"{abs(amount):,.0f}")

    def _signed(self, amount: float, digits: str) -> str:
        sign = SIGNS.get(self.currency, f"{self.currency}\N{NO-BREAK SPACE}")
        return f"{'−' if amount < 0 else ''}{sign}{digits}"
