"""Runs the server and drains it: uvicorn serves, this module decides how it starts and how it ends.

After the first SIGTERM or SIGINT the gateway reports that it is not ready and still serves new requests for `drain_delay`, so that
load balancers notice. Then it accepts no connections, and open requests have `grace` seconds. Then the remaining ones are
interrupted with an error. A second signal skips both waits. Every row is closed and committed before the process exits with 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from gateway.app import Gateway
from gateway.server.connection import ServerConnection
from gateway.server.reload import Reloader, on_hangup
from gateway.server.workers import FAILED_START
from gateway.settings import Settings

log = logging.getLogger(__name__)

INTERRUPT_SECONDS = 3.0  # seconds for interrupted answers to reach their clients; then connections are closed


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains. It also does not raise the signal again at its end, so the process exits with 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        gateway: Gateway,
        *,
        settings: Settings,
        reloader: Reloader,
        interrupt_seconds: float = INTERRUPT_SECONDS,
        started: Callable[[str], None] = lambda url: None,
        needs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config)
        self._lifecycle = gateway.services.lifecycle
        self._drain_delay = settings.drain_delay
        self._grace = settings.grace
        self._interrupt_seconds = interrupt_seconds
        self._on_started = started
        self._reloader = reloader
        self._needs = needs
        self._clock = clock
        self._accepts_until: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        config.timeout_graceful_shutdown = None  # the grace is counted here

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._accepts_until is None:
            self._lifecycle.drain()
            self._accepts_until = self._clock() + self._drain_delay
            return
        self.should_exit = self.force_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._lifecycle.end)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            gc.freeze()  # a full collection would otherwise scan everything loaded so far, and delay every stream
            url = reachable(self.servers[0].sockets[0].getsockname())
            if sockets and self._needs is None:  # uvicorn names only the address of sockets that it opened itself
                log.info("Gateway running on %s (Press CTRL+C to quit)", url)
            self._on_started(url)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._needs not in (None, os.getppid()) and self._accepts_until is None:
            self.handle_exit(signal.SIGTERM, None)
        if self._accepts_until is not None:
            self.should_exit = self.should_exit or self._clock() >= self._accepts_until
        else:
            await self._reloader.check()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(self._grace, self._lifecycle.end),
            loop.call_later(self._grace + self._interrupt_seconds, self._cut),
        ]
        await super().shutdown(sockets)
        gc.unfreeze()
        for timer in timers:
            timer.cancel()
        if self.force_exit:
            await self.lifespan.shutdown()

    def _cut(self) -> None:
        """Do not wait for clients that do not read."""
        self.force_exit = True


def reachable(address: tuple[Any, ...]) -> str:
    """The URL by which this machine reaches a listening address, which may be that of all interfaces."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not listened on
    return f"http://[{host}]:{address[1]}" if ":" in host else f"http://{host}:{address[1]}"


def run(
    gateway: Gateway,
    settings: Settings,
    *,
    read: Callable[[], Settings],
    started: Callable[[str], None] = lambda url: None,
    listening: Sequence[socket.socket] | None = None,
    needs: int | None = None,
) -> None:
    """Serve until a signal ends the process, reading the configuration again with `read`. Exits with 3 when the start fails.

    `started` is called with the URL. The sockets `listening` are served; without any the server opens its own. When `needs`, the
    process id of the parent, is no longer the parent, this process ends as after a signal.
    """
    reloader = Reloader(gateway, read)
    server = DrainingServer(
        uvicorn.Config(gateway.app, **uvicorn_options(settings, demo=gateway.services.demo)),
        gateway,
        settings=settings,
        reloader=reloader,
        started=started,
        needs=needs,
    )
    with on_hangup(reloader.request):
        server.run(None if listening is None else list(listening))
    if not server.started:
        raise SystemExit(FAILED_START)


def uvicorn_options(settings: Settings, *, demo: bool = False) -> dict[str, Any]:
    """uvicorn's options: connections are `ServerConnection`, there is no access log (the ledger is one) and no log configuration."""
    return {
        "host": settings.host,
        "port": settings.port,
        "http": ServerConnection,
        "loop": "uvloop" if sys.platform != "win32" else "asyncio",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "headers": [("x-gateway-demo", "true")] if demo else [],
        "proxy_headers": False,
        "timeout_graceful_shutdown": math.ceil(settings.grace),
        "ws": "none",
    }
