"""How often each key is routed to the strongest models: a prompt can be written so that a router takes it for a hard one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

ENOUGH = 20  # requests of a key, and of all others together, before its share says anything
TIMES, POINTS = 2.0, 0.2  # how far above the other keys' share is unusual: so many times, and at least so much


class StrongModelShare(NamedTuple):
    """`share` (0 to 1) of a key's routed requests that the strongest models answered; `key_id` None for requests without a key."""

    key_id: str | None
    requests: int
    share: float
    unusual: bool


def strong_model_shares(
    rows: Sequence[Mapping[str, Any]], *, strong: Callable[[str, str], bool]
) -> list[StrongModelShare]:
    """`rows` count routed requests by key, provider and model; `strong` knows the strongest models. Most requests first."""
    counted: dict[str | None, tuple[int, int]] = {}
    for row in rows:
        requests, strongly = counted.get(row["key_id"], (0, 0))
        own = row["count"] if strong(row["provider"], row["model"]) else 0
        counted[row["key_id"]] = (requests + row["count"], strongly + own)
    total, strongest = (sum(figures) for figures in zip(*counted.values(), strict=True)) if counted else (0, 0)
    found = []
    for key_id, (requests, strongly) in counted.items():
        share, others = strongly / requests, (strongest - strongly) / max(1, total - requests)
        known = min(requests, total - requests) >= ENOUGH
        unusual = known and share >= others * TIMES and share >= others + POINTS
        found.append(StrongModelShare(key_id, requests, share, unusual))
    return sorted(found, key=lambda each: -each.requests)
