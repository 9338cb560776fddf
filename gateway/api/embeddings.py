"""`POST /v1/embeddings`: what the endpoint does with an received request."""

from __future__ import annotations

from functools import partial

from gateway.api.chat import ReceivedRequest, Serve
from gateway.dialects import InboundRequest
from gateway.dialects.client_sessions import with_client_session
from gateway.dialects.embeddings import parse_embedding_request
from gateway.embeddings import EmbeddingRequest
from gateway.proxy import EmbeddingProxy
from gateway.proxy.body_executor import BodyExecutor
from gateway.routing import input_tokens_of


class EmbeddingService:
    """Embeddings are never routed, so `?auto_route=` changes nothing."""

    def __init__(self, proxy: EmbeddingProxy, *, worker: BodyExecutor) -> None:
        self._proxy = proxy
        self._worker = worker

    async def prepare(self, received: ReceivedRequest) -> Serve:
        request = await self._worker.run(len(received.inbound.body), partial(_parsed, received.inbound))
        return partial(self._proxy.serve, request, request_id=received.request_id, caller=received.caller)


def _parsed(inbound: InboundRequest) -> EmbeddingRequest:
    request = parse_embedding_request(inbound.body)
    request = request._replace(prompt_tokens=input_tokens_of(request.inputs))
    return request._replace(hints=with_client_session(request.as_chat(), inbound.headers).hints)
