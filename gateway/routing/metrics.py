"""Logs routing decisions to the ledger and reads their costs and savings, without a gateway."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.records import RequestRecord
from gateway.routing.types import RoutingDecision
from gateway.store import SettleRequest, Store
from gateway.store.opening import open_store

_FALLBACK_CAUSES = ("strategy:", "upstream:")


class MetricsCollector:
    """Logs decisions with their baselines. A `store` is used instead of opening `db_path`, and stays open."""

    def __init__(
        self,
        db_path: str | Path = "gateway.db",
        *,
        store: Store | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store or open_store(db_path, now=now)
        self._shared = store is not None
        self._now = now

    def log_routing_decision(
        self,
        decision: RoutingDecision,
        baseline_decision: RoutingDecision,
        auto_route: bool,
        request_id: str | None = None,
    ) -> str:
        """Commit one row whose costs are the decisions' estimates; returns its request id. An id that is in the ledger is not logged again."""
        record = self._record(decision, baseline_decision, auto_route=auto_route, request_id=request_id)
        self._store.submit(SettleRequest(record)).result()
        return record.request_id

    def get_savings_summary(self, days: float = 30) -> dict[str, Any]:
        """Requests, costs and savings (USD) of the last `days`; `avg_savings_pct` is the mean of the rows' percentages, 0 without rows."""
        summary = self._store.summary(days=days)
        return {**summary, "avg_savings_pct": summary["avg_savings_pct"] or 0.0}

    def get_confidence_distribution(self) -> dict[str, int]:
        """Learned decisions by confidence; a level that never occurred counts 0."""
        return Counter(self._store.confidence())

    def get_model_selection_patterns(self) -> list[dict[str, Any]]:
        """Learned decisions by model and pattern, most frequent first; `avg_savings` in USD."""
        return self._store.patterns()

    def close(self) -> None:
        if not self._shared:
            self._store.close()

    def _record(
        self, decision: RoutingDecision, baseline: RoutingDecision, *, auto_route: bool, request_id: str | None
    ) -> RequestRecord:
        metadata: Mapping[str, Any] = decision.metadata or {}
        pinned = decision.strategy_used == "pinned"
        baseline_cost = _cost(baseline)
        candidates, features = metadata.get("candidates"), metadata.get("features")
        return RequestRecord(
            request_id=request_id or uuid.uuid4().hex,
            timestamp=self._now().astimezone(UTC).isoformat(timespec="milliseconds"),
            strategy_used=decision.strategy_used,
            selected_provider=decision.provider,
            selected_model=decision.model,
            baseline_provider=baseline.provider,
            baseline_model=baseline.model,
            confidence=None if pinned else decision.confidence,
            baseline_cost=baseline_cost,
            actual_cost=_cost(decision),
            pattern_detected=None if pinned else metadata.get("pattern"),
            complexity_score=None if pinned else metadata.get("complexity"),
            experimental=bool(metadata.get("experimental")),
            fallback_used=bool(decision.fallback_used),
            fallback_reason=_fallback_reason(metadata.get("fallback_reason")),
            status="ok",
            auto_route=bool(auto_route),
            reasoning=decision.reasoning,
            evidence="unknown" if baseline_cost is None else "modelled",
            estimated=True,
            propensity=metadata.get("propensity"),
            candidates=candidates if isinstance(candidates, Sequence) else (),
            features=features if isinstance(features, Mapping) else {},
        )


def _cost(decision: RoutingDecision) -> Decimal | None:
    """A decision's estimate in USD; None when it is not a number."""
    estimate = (decision.metadata or {}).get("cost_estimate")
    if isinstance(estimate, bool) or not isinstance(estimate, int | float | Decimal):
        return None
    return Decimal(str(estimate))


def _fallback_reason(reason: object) -> str | None:
    """The ledger's reasons start with what failed; outside a gateway only the strategy can fail."""
    if not reason:
        return None
    text = str(reason)
    return text if text.startswith(_FALLBACK_CAUSES) else f"strategy: {text}"
