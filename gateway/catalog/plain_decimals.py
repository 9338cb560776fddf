"""Money in plain decimals, as text and in JSON: no exponent, and never $0.000000 for what costs something."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

# orjson writes what is below the first with an exponent, as `1e-7`; what is below the second keeps it, for nobody reads so many zeros.
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
    """A number as orjson should get it."""
    if _MOST_ZEROS < abs(number) < _EXPONENT_BELOW:
        return orjson.Fragment(plain_decimal(number))
    return number


def plain_numbers(value: Any) -> Any:
    """JSON data with each number as `plain_number` makes it."""
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, dict):
        return {name: plain_numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(each) for each in value]
    return value
