"""`POST /v1/route`: the plan for a chat body, without a call of any upstream."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.body import BodyBudget, read_body
from gateway.api.chat import caller_from, parse_inbound, requested_mode
from gateway.catalog import plain_numbers
from gateway.dialects import CHAT_COMPLETIONS, InboundRequest
from gateway.dialects.client_sessions import with_client_session
from gateway.proxy.body_executor import BodyExecutor
from gateway.routing import Plan, Planner


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
        mode = requested_mode(request.scope["query_string"])
        with self._bodies.share() as share:
            raw = await read_body(fields, request.receive, limit=self._max_body_bytes, share=share)
            chat = await parse_inbound(InboundRequest(raw), CHAT_COMPLETIONS, worker=self._worker)
            chat = with_client_session(chat, fields)
            plan = self._planner.plan(chat, mode=mode, caller=caller)
        return Response(orjson.dumps(plain_numbers(plan_json(plan))), media_type="application/json")


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan for people and tools; costs are USD."""
    ranking, chosen = plan.ranking, plan.ranking.chosen
    return {
        "object": "routing.decision",
        "model": chosen.full_name,
        "provider": chosen.provider,
        "strategy_used": ranking.strategy,
        "confidence": None if plan.pinned else ranking.confidence,
        "reasoning": ranking.reasoning,
        "fallback_used": ranking.fallback_used,
        "fallback_reason": ranking.fallback_reason,
        "experimental": bool(ranking.experimental),
        "pattern": ranking.pattern,
        "complexity": ranking.complexity,
        "propensity": ranking.propensity,
        "quality_score": ranking.quality,
        "cost_estimate": ranking.cost,
        "cascade": None if ranking.agreement is None else ranking.agreement.as_metadata(),
        "baseline_model": plan.baseline.full_name,
        "candidates": list(ranking.candidates) or [{"provider": chosen.provider, "model": chosen.name}],
        "features": dict(ranking.features),
        "needs": sorted(plan.context.needs),
        "prompt_tokens": plan.context.prompt_tokens,
        "cache_marks": plan.breakpoints.placed_by(chosen),
    }
