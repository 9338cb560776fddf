"""What the endpoint reads of a request for embeddings beside its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson
import pytest

from gateway.api.body import alone
from gateway.api.chat import ReceivedRequest
from gateway.api.embeddings import EmbeddingService
from gateway.api.response import ResponseWriter
from gateway.dialects import InboundRequest
from gateway.embeddings import EmbeddingRequest
from gateway.errors import InvalidRequest
from gateway.proxy import ChatResult, EmbeddingProxy
from gateway.proxy.body_executor import BodyExecutor
from gateway.routing import Caller

CALLER = Caller("key")
BODY = {"model": "gemini/m", "input": ["a" * 40, "bcd"]}


class Proxy:
    """Keeps what it is asked to serve."""

    async def serve(self, request: EmbeddingRequest, *, request_id: str, caller: Caller) -> ChatResult:
        self.served = (request, request_id, caller)
        return cast(ChatResult, None)


async def served(body: object, headers: Mapping[bytes, bytes]) -> tuple[EmbeddingRequest, str, Caller]:
    proxy = Proxy()
    service = EmbeddingService(cast(EmbeddingProxy, proxy), worker=BodyExecutor())
    response = cast(ResponseWriter, None)
    inbound = InboundRequest(orjson.dumps(body), headers)
    serve = await service.prepare(ReceivedRequest(inbound, None, "r1", CALLER, response, alone(10**6)))
    await serve()
    return proxy.served


@pytest.mark.anyio
async def test_session_and_tokens_are_known() -> None:
    """The session comes from the client's header, and the tokens are counted once for the whole request."""
    request, request_id, caller = await served(BODY, {b"x-session-id": b"s-1"})
    assert (request.hints.session_id, request.prompt_tokens) == ("s-1", 11 + 1)
    assert (request_id, caller) == ("r1", CALLER)


@pytest.mark.anyio
async def test_a_body_that_is_no_request_is_refused() -> None:
    """An invalid body is refused before anything is served."""
    with pytest.raises(InvalidRequest):
        await served({}, {})
