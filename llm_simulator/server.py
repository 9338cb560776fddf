"""Runs the simulator on a loopback port, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from threading import Thread
from types import TracebackType
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llm_simulator.app import create_app
from llm_simulator.responses import TRANSPORT
from llm_simulator.simulation import Simulation


class BorrowedBufferProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol; it passes its transport to the application, so that faults can break the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


class AbruptServer(uvicorn.Server):
    """uvicorn's server; on shutdown it aborts open responses instead of waiting for them."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            cast(BorrowedBufferProtocol, connection).transport.abort()
        await super().shutdown(sockets=sockets)


def server_config(simulation: Simulation, **options: Any) -> uvicorn.Config:
    """The uvicorn configuration of the simulator."""
    return uvicorn.Config(
        create_app(simulation),
        http=BorrowedBufferProtocol,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        **options,
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket with TCP_NODELAY, which asyncio sets only for sockets created with a protocol number."""
    listener = socket.create_server((host, port), backlog=512)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Simulator:
    """All three vendors on one loopback port: `with Simulator() as urls: ...`, or `start()` and `stop()`."""

    def __init__(
        self, simulation: Simulation | None = None, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0
    ) -> None:
        self.simulation = simulation or Simulation(seed=seed)
        self._host = host
        self._port = port
        self._server: AbruptServer | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def base_urls(self) -> Mapping[str, str]:
        """Environment variable -> base URL, for the gateway and the vendors' SDKs."""
        return {
            "GEMINI_BASE_URL": self.url,
            "ANTHROPIC_BASE_URL": self.url,
            "OPENROUTER_BASE_URL": f"{self.url}/api/v1",
        }

    def start(self) -> Mapping[str, str]:
        """Listen and serve; connections are accepted from now on. Returns `base_urls`."""
        if self._thread is not None:
            return self.base_urls
        listener = listening_socket(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = AbruptServer(server_config(self.simulation))
        self._thread = Thread(target=self._serve, args=(self._server, listener), name="simulator", daemon=True)
        self._thread.start()
        return self.base_urls

    def stop(self) -> None:
        """Stop at once, also open streams."""
        if self._thread is None or self._server is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._thread = self._server = None

    def __enter__(self) -> Mapping[str, str]:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, server: AbruptServer, listener: socket.socket) -> None:
        with listener:
            asyncio.run(server.serve(sockets=[listener]))
