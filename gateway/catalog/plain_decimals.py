"""Formats money without an exponent, in text and JSON; a positive amount is never shown as $0.000000."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

# orjson writes numbers below the first limit with an exponent (`1e-7`). Numbers below the second keep it: too many zeros to read.
_EXPONENT_BELOW = 1e-5
_MOST_ZEROS = 1e-30
_PLACES = 6
_SMALLEST = Decimal("0.000001")


def plain_decimal(amount: float | Decimal) -> str:
    """All digits of a number, without an exponent: 1e-07 is 0.0000001."""
    return f"{Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount):f}"


def usd_text(amount: float | Decimal) -> str:
    """USD with six decimal places; a smaller amount with its first two digits."""
    exact = Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    if not exact.is_finite():
        return f"${amount}"
    size = abs(exact)
    places = _PLACES if size == 0 or size >= _SMALLEST else 1 - size.adjusted()
    return f"{'-' if exact < 0 else ''}${size:.{places}f}"


def plain_number(number: float) -> float | orjson.Fragment:
    """A number that orjson writes without an exponent."""
    if _MOST_ZEROS < abs(number) < _EXPONENT_BELOW:
        return orjson.Fragment(plain_decimal(number))
    return number


def plain_numbers(value: Any) -> Any:
    """JSON data whose numbers orjson writes without an exponent."""
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, dict):
        return {name: plain_numbers(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(item) for item in value]
    return value
