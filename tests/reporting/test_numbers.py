from __future__ import annotations

from datetime import date, datetime

import pytest

from reporting import numbers
from reporting.numbers import NARROW_SPACE, Money


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1234567, "1,234,567"), (-4200, "−4,200")])
def test_counts(number: float, text: str) -> None:
    assert numbers.count(number) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (12, "+12"), (-1200, "−1,200")])
def test_changes(number: float, text: str) -> None:
    assert numbers.change(number) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"), [(0.456, 0, "46 %"), (0, 0, "0 %"), (0.001, 0, "< 1 %"), (0.0004, 1, "< 0.1 %"), (1, 0, "100 %")]
)
def test_shares(share: float, digits: int, text: str) -> None:
    assert numbers.percent(share, digits) == text.replace(" ", NARROW_SPACE)


@pytest.mark.parametrize(
    ("amount", "short", "full"),
    [
        (0, "€0", "€0"),
        (12.3, "€12", "€12.30"),
        (999.6, "€1k", "€1,000"),
        (12_345, "€12.3k", "€12,345"),
        (340_000, "€340k", "€340,000"),
        (999_950, "€1m", "€999,950"),
        (1_234_567, "€1.2m", "€1,234,567"),
        (2.5e9, "€2.5bn", "€2,500,000,000"),
        (-81_000, "−€81k", "−€81,000"),
    ],
)
def test_money(amount: float, short: str, full: str) -> None:
    assert Money("EUR").short(amount) == short
    assert Money("EUR").full(amount) == full


def test_a_currency_without_a_sign_of_its_own_is_named() -> None:
    assert Money("CHF").full(1200) == "CHF\N{NO-BREAK SPACE}1,200"


def test_dates() -> None:
    assert numbers.long_date(date(2025, 7, 1)) == "1 July 2025"
    assert numbers.moment(datetime.fromisoformat("2025-07-01T01:12:00")) == "1 July 2025, 01:12 UTC"
