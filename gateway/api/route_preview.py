"""`POST /v1/route`: the decision for a chat body, every candidate and why; nobody is called."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.body import BodyBudget, read_body
from gateway.api.chat import caller_from, parse_body, requested_mode
from gateway.catalog import plain_numbers
from gateway.dialects.client_sessions import with_client_session
from gateway.proxy import Plan, Planner
from gateway.proxy.body_executor import BodyExecutor


class RoutePreview:
    def __init__(
        self,
        planner: Planner,
        *,
        max_body_bytes: int,
        bodies: BodyBudget | None = None,
        worker: BodyExecutor | None = None,
    ) -> None:
        self._planner = planner
        self._bodies = bodies or BodyBudget(max_body_bytes)
        self._worker = worker or BodyExecutor()
        self._max_body_bytes = max_body_bytes

    async def route(self, request: Request) -> Response:
        fields = dict(request.scope["headers"])
        caller = caller_from(fields, principal=request.scope["principal"])
        auto_route = requested_mode(request.scope["query_string"])
        with self._bodies.share() as share:
            raw = await read_body(fields, request.receive, limit=self._max_body_bytes, share=share)
            chat = with_client_session(await parse_body(raw, worker=self._worker), fields)
            plan = self._planner.plan(chat, auto_route=auto_route, caller=caller)
        return Response(orjson.dumps(plain_numbers(plan_json(plan))), media_type="application/json")


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan for people and tools; costs are USD."""
    decision, metadata = plan.decision, plan.decision.metadata
    return {
        "object": "routing.decision",
        "model": f"{decision.provider}/{decision.model}",
        "provider": decision.provider,
        "strategy_used": decision.strategy_used,
        "confidence": None if plan.pinned else decision.confidence,
        "reasoning": decision.reasoning,
        "fallback_used": decision.fallback_used,
        "fallback_reason": metadata.get("fallback_reason"),
        "experimental": bool(metadata.get("experimental")),
        "pattern": metadata.get("pattern"),
        "complexity": metadata.get("complexity"),
        "propensity": metadata.get("propensity"),
        "quality_score": metadata.get("quality_score"),
        "cost_estimate": metadata.get("cost_estimate"),
        "baseline_model": plan.baseline.full_name,
        "candidates": metadata.get("candidates") or [{"provider": decision.provider, "model": decision.model}],
        "features": metadata.get("features") or {},
        "needs": sorted(plan.context.needs),
        "prompt_tokens": plan.context.prompt_tokens,
        "cache_marks": plan.marks.placed_by((decision.provider, decision.model)),
    }
