"""Records that the ledger's tests write, and the time they are written at."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.completion import Usage
from gateway.records import Attempt, RequestRecord

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)

CANDIDATES = (
    {"provider": "gemini", "model": "flash", "tier": "simple", "quality": 0.7, "cost": 0.001},
    {"provider": "claude", "model": "haiku", "tier": "moderate", "quality": 0.8, "cost": 0.004},
)

OPEN = RequestRecord(
    request_id="r1",
    timestamp="2026-11-22T10:00:00.123+00:00",
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="flash",
    baseline_provider="claude",
    baseline_model="haiku",
    confidence="high",
    pattern_detected="code",
    complexity_score=0.2,
    candidates=CANDIDATES,
    features={"words": 12.0},
)

USAGE = Usage(prompt_tokens=10, completion_tokens=20, cached_tokens=4, raw={"promptTokenCount": 10})


def begun(request_id: str = "r1", **changes: Any) -> RequestRecord:
    """A row before its upstream call."""
    return OPEN._replace(request_id=request_id, **changes)


def ended(request_id: str = "r1", **changes: Any) -> RequestRecord:
    """The same row when its answer was read: 4 mUSD would have been paid, 1 mUSD was."""
    attempt = Attempt(
        number=1,
        provider=OPEN.selected_provider,
        model=OPEN.selected_model,
        status="settled",
        cost=Decimal("0.001"),
        usage=USAGE,
    )
    facts: dict[str, Any] = {
        "status": "ok",
        "baseline_cost": Decimal("0.004"),
        "actual_cost": Decimal("0.001"),
        "usage": USAGE,
        "duration": 0.5,
        "attempts": (attempt,),
    }
    return OPEN._replace(request_id=request_id, **{**facts, **changes})
