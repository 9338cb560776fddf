"""A gateway on a real port in the test's own event loop, and an upstream that says its pieces when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import orjson
import uvicorn

from gateway.app import Gateway, create_app
from gateway.errors import LedgerUnavailable
from gateway.server.connection import ServerConnection
from gateway.server.reload import Reloader
from gateway.server.server import DrainingServer, uvicorn_options
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS

MODEL = "openrouter/qwen/qwen3.8-flash"
HEAD = {"id": "gen-1", "created": 1, "model": "m", "object": "chat.completion.chunk"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.000125}


class HeldUpstream(httpx2.AsyncByteStream):
    """Answers one stream: its head once `begin` is set, then each piece that is put, `None` for its end."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.begin = asyncio.Event()
        self.closed = asyncio.Event()
        self.calls = 0
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        self.called.set()
        try:
            await self.begin.wait()
        except asyncio.CancelledError:
            self.closed.set()
            raise
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self)

    def say(self, text: str) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
        self._pieces.put_nowait(_event({**HEAD, "choices": [choice]}))

    def end(self) -> None:
        choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self._pieces.put_nowait(
            _event({**HEAD, "choices": [choice]})
            + _event({**HEAD, "choices": [], "usage": USAGE})
            + b"data: [DONE]\n\n"
        )
        self._pieces.put_nowait(None)

    @property
    def unread(self) -> int:
        """Pieces that the gateway has not asked for."""
        return self._pieces.qsize()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def aclose(self) -> None:
        self.closed.set()


class Client:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def ask(self, prompt: str = "Hello", *, model: str = MODEL, stream: bool = True) -> None:
        """One chat completion, keeping the connection."""
        self.send(chat(prompt, model=model, stream=stream))

    async def get(self, path: str) -> int:
        """The status that a path answers."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return int((await self.until(b"\r\n\r\n")).split()[1])

    async def until(self, mark: bytes) -> bytes:
        return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await self.reader.read()

    def pause(self) -> None:
        """Read no more: what the gateway sends stays in the sockets' buffers."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport reads too

    def leave(self) -> None:
        """At once, as a client that was killed."""
        self.writer.transport.abort()


class Serving:
    """`ended` is done when the server has come to its end."""

    def __init__(
        self,
        server: DrainingServer,
        gateway: Gateway,
        store: SqliteStore,
        upstream: HeldUpstream,
        ended: asyncio.Task[None],
    ) -> None:
        self.ended = ended
        self.server = server
        self.gateway = gateway
        self.store = store
        self.upstream = upstream
        self.clients: list[Client] = []

    async def client(self) -> Client:
        host, port = self.server.servers[0].sockets[0].getsockname()[:2]
        client = Client(*await asyncio.open_connection(host, port))
        self.clients.append(client)
        return client

    @property
    def url(self) -> str:
        host, port = self.server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    async def idle(self) -> None:
        """Returns once no request is under way."""
        await self.gateway.services.lifecycle.ended()

    async def rows(self) -> list[dict[str, Any]]:
        """The ledger's rows with their attempts, read from the file once all that was settled before is committed."""
        with suppress(LedgerUnavailable):  # closed, so it is committed
            await asyncio.to_thread(self.store.close_orphans, now="2026-11-22T10:00:00Z")
        with closing(SqliteStore(self.store.path)) as store:
            return [store.request(row["request_id"]) or {} for row in reversed(store.requests(limit=500))]


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    config: str = "",
    protocol: type[ServerConnection] = ServerConnection,
    interrupt_seconds: float = 3.0,
    upstream: HeldUpstream | None = None,
) -> AsyncIterator[Serving]:
    """Serves until the block ends; `config` is the text of `gateway.yaml`."""
    file = folder / "gateway.yaml"
    file.write_text(config)
    settings = load(
        {**KEYS, "GATEWAY_CONFIG": str(file), "GATEWAY_DB": str(folder / "gateway.db"), "GATEWAY_PORT": "0"}
    )
    if "holdback" not in config:
        settings = replace(settings, holdback=0.0)  # which conversations are drawn is random
    upstream = upstream or HeldUpstream()
    store = SqliteStore(settings.db)
    app = create_app(settings, store=store, transport=HttpxTransport(transport=httpx2.MockTransport(upstream)))
    options = {**uvicorn_options(settings), "http": protocol, "loop": "asyncio"}
    gateway = app.state.gateway
    server = DrainingServer(
        uvicorn.Config(app, **options),
        gateway,
        settings=settings,
        reloader=Reloader(gateway, lambda: settings),
        interrupt_seconds=interrupt_seconds,
    )
    listening = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.001)
    served = Serving(server, gateway, store, upstream, listening)
    try:
        yield served
    finally:
        for client in served.clients:
            client.leave()
        server.should_exit = server.force_exit = True
        await listening


def chat(prompt: str = "Hello", *, model: str = MODEL, stream: bool = True) -> bytes:
    """A chat completion as bytes on the wire."""
    body = orjson.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]})
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(payload) + b"\n\n"
