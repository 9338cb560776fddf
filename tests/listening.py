"""A gateway on a real port, served by a thread of its own, with an upstream that is a function."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn

from gateway.app import Gateway, create_app
from gateway.server.server import uvicorn_options
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS
from tests.upstreams import Upstream, answer


@dataclass(frozen=True, slots=True)
class Listening:
    """`url` has 127.0.0.1 as its host."""

    url: str
    port: int
    gateway: Gateway
    store: SqliteStore


class _Server(uvicorn.Server):
    """Notices `should_exit` within milliseconds; uvicorn's own loop looks ten times a second."""

    async def main_loop(self) -> None:
        while not await self.on_tick(counter=0):  # noqa: ASYNC110 - uvicorn sets a flag, not an event
            await asyncio.sleep(0.005)


@contextmanager
def listening(
    folder: Path, *, environment: Mapping[str, str] | None = None, config: str = "", upstream: Upstream | None = None
) -> Iterator[Listening]:
    """Serves until the block ends; `config` is the text of `gateway.yaml`."""
    file = folder / "gateway.yaml"
    file.write_text(config)
    variables = {"GATEWAY_CONFIG": str(file), "GATEWAY_DB": str(folder / "gateway.db"), "GATEWAY_PORT": "0"}
    settings = load({**KEYS, **variables, **(environment or {})})
    store = SqliteStore(settings.db)
    transport = HttpxTransport(transport=httpx2.MockTransport(upstream or answer("four")))
    app = create_app(settings, store=store, transport=transport)
    server = _Server(uvicorn.Config(app, **uvicorn_options(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Listening(f"http://127.0.0.1:{port}", port, app.state.gateway, store)
    finally:
        server.should_exit = True
        thread.join(10)
