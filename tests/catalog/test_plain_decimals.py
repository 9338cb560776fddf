"""Money as people read it."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from gateway.catalog import plain_decimal, plain_numbers, usd_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1e-7, "0.0000001"),
        (0.25, "0.25"),
        (1e22, "10000000000000000000000"),
        (Decimal("1E-9"), "0.000000001"),
        (3, "3"),
    ],
)
def test_decimals_are_written_without_exponents(amount: float | Decimal, text: str) -> None:
    """Very small and very large numbers are written out."""
    assert plain_decimal(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "$0.000000"),
        (0.0012345, "$0.001234"),
        (1234.5, "$1234.500000"),
        (1e-7, "$0.00000010"),
        (1.26e-9, "$0.0000000013"),
        (-3.8e-5, "-$0.000038"),
        (Decimal("-2E-8"), "-$0.000000020"),
        (float("nan"), "$nan"),
    ],
)
def test_what_costs_something_is_not_shown_as_nothing(amount: float | Decimal, text: str) -> None:
    """Six places are usual; where they would be zeros, two digits that are not."""
    assert usd_text(amount) == text


def test_json_numbers_are_written_without_exponents() -> None:
    """The same numbers, written without exponents wherever they stand; what has too many zeros keeps its exponent."""
    value = {"a": 1e-7, "b": [{"c": -2.5e-9}, (1e-40, 0.5, 0.0)], "d": "1e-7", "e": None, "f": 9}
    written = orjson.dumps(plain_numbers(value))
    assert written == b'{"a":0.0000001,"b":[{"c":-0.0000000025},[1e-40,0.5,0.0]],"d":"1e-7","e":null,"f":9}'
    assert orjson.loads(written) == orjson.loads(orjson.dumps(value))
