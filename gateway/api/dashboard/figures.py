"""The dashboard's figures as plain numbers: keys with unusual use, amounts of money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.catalog import usd_text

MIN_REQUESTS = 20  # of a key, and of all others together, before its share means anything
# A key's share of the strongest models is unusual at this multiple of the other keys' share, and this much above it.
UNUSUAL_RATIO, UNUSUAL_DIFFERENCE = 2.0, 0.2


def usd(amount: float | None) -> str:
    """USD for people: with cents from one cent up, else with all significant digits."""
    if amount is None:
        return "unknown"
    if amount == 0 or abs(amount) >= 0.01:
        return f"${amount:,.2f}" if amount >= 0 else f"-${-amount:,.2f}"
    return usd_text(amount)


class StrongModelShare(NamedTuple):
    """The share (0 to 1) of a key's routed requests that the strongest models answered; `key_id` None: requests without a key.

    A prompt can be written to look hard to the router, so a share far above that of the other keys is marked `unusual`.
    """

    key_id: str | None
    requests: int
    share: float
    unusual: bool


def strong_model_shares(
    rows: Sequence[Mapping[str, Any]], *, strong: Callable[[str, str], bool]
) -> list[StrongModelShare]:
    """`rows` count routed requests by key, provider and model; `strong` is true for the strongest models. Most requests first."""
    counted: dict[str | None, tuple[int, int]] = {}
    for row in rows:
        requests, strongly = counted.get(row["key_id"], (0, 0))
        own = row["count"] if strong(row["provider"], row["model"]) else 0
        counted[row["key_id"]] = (requests + row["count"], strongly + own)
    total, strongest = (sum(column) for column in zip(*counted.values(), strict=True)) if counted else (0, 0)
    figures = []
    for key_id, (requests, strongly) in counted.items():
        share, others = strongly / requests, (strongest - strongly) / max(1, total - requests)
        known = min(requests, total - requests) >= MIN_REQUESTS
        unusual = known and share >= others * UNUSUAL_RATIO and share >= others + UNUSUAL_DIFFERENCE
        figures.append(StrongModelShare(key_id, requests, share, unusual))
    return sorted(figures, key=lambda figure: -figure.requests)
