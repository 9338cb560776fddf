"""The server's part by itself: HTTP in and out, the caller, admission and departure, without a network, an upstream or a ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, cast

import uvicorn
import uvloop
from uvicorn.server import ServerState

from benchmarks.speed.samples import CHUNKS, chat
from gateway.api.admin_sessions import AdminSessions
from gateway.api.admission import ConcurrencyLimiter, StartPacer
from gateway.api.auth import Authenticator
from gateway.api.chat import ChatEndpoint, ChatService
from gateway.api.cors import Cors
from gateway.api.dashboard.sign_in import SignIn
from gateway.api.lifecycle import Lifecycle
from gateway.api.rate_limit import SlidingWindowLimiter
from gateway.api.routes import Application, build_routes
from gateway.app import Environment
from gateway.dialects import CHAT_COMPLETIONS
from gateway.proxy import ChatProxy, ChatResult, ChatStream, EventSink
from gateway.records import RequestRecord
from gateway.server.connection import ServerConnection

CONNECTIONS = 16  # that ask at the same time
KEY = "a-client-key-of-usual-length"
COST = Decimal("0.000123")
RECORD = RequestRecord(
    "req_1",
    "2026-11-22T10:00:00Z",
    "pinned",
    "openrouter",
    "vendor/model",
    "openrouter",
    "vendor/model",
    reasoning="The client named the model.",
    actual_cost=COST,
    baseline_cost=COST,
)
PIECE = b"data: " + b"x" * 180 + b"\n\n"


@contextmanager
def cases() -> Iterator[dict[str, tuple[Callable[[], object], int]]]:
    """As `micro.cases`. A request's body is read and parsed too, which `request: read 2 KB` tells apart."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        whole, stream = (
            runner.run(_connected(chat("openrouter/vendor/model", stream=streamed))) for streamed in (False, True)
        )
        yield {
            "server: a request": (lambda: runner.run(whole.ask()), CONNECTIONS),
            "server: a stream's chunk": (lambda: runner.run(stream.ask()), CONNECTIONS * CHUNKS),
        }


class Proxy:
    """Has the answer at once."""

    async def serve(self, request: Any, **_: object) -> ChatResult | ChatStream:
        return cast(ChatStream, Stream()) if request.stream else ChatResult(b"x" * 600, RECORD)


class Stream:
    record = RECORD

    sent_at = 0.0

    async def send_to(self, client: EventSink) -> None:
        for _ in range(CHUNKS):
            if not client.send_nowait(PIECE):
                await client.send(PIECE)

    async def aclose(self) -> None:
        """There is nothing to close."""


class Wire(asyncio.Transport):
    """Takes everything."""

    def write(self, data: object) -> None:
        """Drops it."""

    def is_closing(self) -> bool:
        return False


class Connected:
    """Connections that each ask once and have their answer."""

    def __init__(self, protocols: list[ServerConnection], state: ServerState, request: bytes) -> None:
        self._protocols = protocols
        self._state = state
        self._request = request

    async def ask(self) -> None:
        for protocol in self._protocols:
            protocol.data_received(self._request)
        while self._state.tasks:  # noqa: ASYNC110 - nothing tells when the last is over
            await asyncio.sleep(0)


async def _connected(body: bytes) -> Connected:
    authenticator = Authenticator([KEY])
    endpoint = ChatEndpoint(
        CHAT_COMPLETIONS,
        ChatService(CHAT_COMPLETIONS, cast(ChatProxy, Proxy())),
        authenticator,
        admission=ConcurrencyLimiter(in_flight=CONNECTIONS, queue=0, wait=1),
        lifecycle=Lifecycle(),
        start_pacer=StartPacer(),
        max_body_bytes=10**6,
        new_request_id=Environment().new_request_id,
    )
    app = Application()
    sign_in = SignIn(
        authenticator,
        AdminSessions(time.monotonic),
        rate_limiter=SlidingWindowLimiter(time.monotonic),
        demo=False,
        ended=lambda: None,
    )
    completions = {CHAT_COMPLETIONS.path: endpoint}
    routes = build_routes([], completions=completions, authenticator=authenticator, sign_in=sign_in, pages=[])
    app.serve(routes, Cors(authenticator))
    config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, proxy_headers=False)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Sun, 22 Nov 2026 10:00:00 GMT")]
    protocols = [ServerConnection(config, state, {}) for _ in range(CONNECTIONS)]
    for protocol in protocols:
        protocol.connection_made(Wire())
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\naccept: application/json\r\n"
        f"content-type: application/json\r\nuser-agent: OpenAI/Python 3.54.0\r\nauthorization: Bearer {KEY}\r\n"
        f"x-stainless-retry-count: 0\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Connected(protocols, state, head.encode() + body)
