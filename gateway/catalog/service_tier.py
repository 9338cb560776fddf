"""Service tiers that change the price: Gemini's `flex` is half of it, `priority` 1.8 times, for the same model.

Flex waits for free capacity: answers are to come within 15 minutes, and a request may be refused under load.
https://ai.google.dev/gemini-api/docs/flex-inference, https://ai.google.dev/gemini-api/docs/pricing
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

FLEX = "flex"
STANDARD_RATES = Decimal(1)
_FACTORS: Mapping[tuple[str, str], Decimal] = MappingProxyType(
    {("gemini", FLEX): Decimal("0.5"), ("gemini", "priority"): Decimal("1.8")}
)


def rate_factor(provider: str, tier: str | None) -> Decimal:
    """What the provider's rates are multiplied with in this tier (OpenAI's name of it); 1 in a tier that it does not have."""
    return STANDARD_RATES if tier is None else _FACTORS.get((provider, tier), STANDARD_RATES)
