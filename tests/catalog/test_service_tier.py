"""What service tiers cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.catalog.service_tier import rate_factor


@pytest.mark.parametrize(
    ("provider", "tier", "factor"),
    [
        ("gemini", "flex", "0.5"),
        ("gemini", "priority", "1.8"),
        ("gemini", "default", "1"),
        ("gemini", None, "1"),
        ("claude", "flex", "1"),
    ],
)
def test_factor_of_a_tier(provider: str, tier: str | None, factor: str) -> None:
    """Only the tiers that a provider has change its rates."""
    assert rate_factor(provider, tier) == Decimal(factor)
