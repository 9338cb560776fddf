"""The endpoints that cost money: one for each dialect of completions, and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.api.auth import Authenticator
from gateway.api.chat import ChatEndpoint, ChatService, RequestService
from gateway.api.embeddings import EmbeddingService
from gateway.api.response_state import LedgerResponses, ResponseState
from gateway.api.responses import ResponsesService
from gateway.app.services import Services
from gateway.dialects import CHAT_COMPLETIONS, DIALECTS, RESPONSES, Dialect
from gateway.dialects.embeddings import PATH as EMBEDDINGS_PATH
from gateway.proxy import ChatProxy, EmbeddingProxy
from gateway.request_trace import continued_trace
from gateway.settings import Settings


def completion_endpoints(
    settings: Settings,
    services: Services,
    *,
    proxy: ChatProxy,
    embeddings: EmbeddingProxy,
    state: ResponseState | None,
    authenticator: Authenticator,
) -> Mapping[str, ChatEndpoint]:
    """By path with `/v1`. `state` keeps the responses of `/v1/responses`."""
    worker = services.body_executor

    def endpoint(dialect: Dialect, service: RequestService, route: str | None = None) -> ChatEndpoint:
        return ChatEndpoint(
            dialect,
            service,
            authenticator,
            admission=services.concurrency_limiter,
            lifecycle=services.lifecycle,
            start_pacer=services.start_pacer,
            max_body_bytes=settings.limits.body_bytes,
            new_request_id=services.environment.new_request_id,
            keep_alive=settings.keep_alive,
            bodies=services.bodies,
            refusals=services.refusals,
            begin_trace=continued_trace if services.telemetry is None else services.telemetry.begin,
            route=route or dialect.path,
        )

    plain = {
        dialect.path: endpoint(dialect, ChatService(dialect, proxy, worker=worker, tag_header=settings.tag_header))
        for dialect in DIALECTS.values()
        if dialect is not RESPONSES
    }
    responses = ResponsesService(
        proxy,
        state=state,
        ttl=settings.responses.ttl,
        now=unix_time(services),
        max_body_bytes=settings.limits.body_bytes,
        worker=worker,
        tag_header=settings.tag_header,
    )
    return {
        **plain,
        RESPONSES.path: endpoint(RESPONSES, responses),
        EMBEDDINGS_PATH: endpoint(CHAT_COMPLETIONS, EmbeddingService(embeddings, worker=worker), EMBEDDINGS_PATH),
    }


def response_state(settings: Settings, services: Services) -> ResponseState | None:
    """Where responses are kept; None where they are not."""
    if settings.responses.store == "memory":
        return services.response_memory
    if settings.responses.store == "ledger":
        return LedgerResponses(services.store, unix_time(services))
    return None


def unix_time(services: Services) -> Callable[[], float]:
    """The wall clock, in seconds."""
    return lambda: services.environment.now().timestamp()
