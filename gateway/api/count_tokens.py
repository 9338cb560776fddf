"""`POST /v1/messages/count_tokens`: Anthropic's route for the size of a prompt. Clients call it often and at once."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.admission import ConcurrencyLimiter
from gateway.api.auth import Principal
from gateway.api.body import BodyBudget, read_body
from gateway.dialects import InboundRequest
from gateway.dialects.messages import parse_count_request
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.token_counter import TokenCounter

# Claude Code sends one call for each of its tools, about 25 at once.
IN_FLIGHT = 32
QUEUE = 512
QUEUE_SECONDS = 10.0


class CountTokens:
    """Has an admission of its own, so that counting takes no place from completions."""

    def __init__(self, counter: TokenCounter, *, max_body_bytes: int, bodies: BodyBudget, worker: BodyExecutor) -> None:
        self._counter = counter
        self._max_body_bytes = max_body_bytes
        self._bodies = bodies
        self._worker = worker
        self._admission = ConcurrencyLimiter(in_flight=IN_FLIGHT, queue=QUEUE, wait=QUEUE_SECONDS)

    async def count(self, request: Request) -> Response:
        fields = dict(request.scope["headers"])
        principal: Principal = request.scope["principal"]
        async with self._admission:
            with self._bodies.share() as share:
                raw = await read_body(fields, request.receive, limit=self._max_body_bytes, share=share)
                inbound = InboundRequest(raw, fields, request.scope["query_string"])
                counted = await self._worker.run(len(raw), partial(parse_count_request, inbound))
                tokens = await self._counter.count(counted, key=principal.key)
        return JSONResponse({"input_tokens": tokens})
