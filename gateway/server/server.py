"""The server's life between its first and its last signal; uvicorn does the rest.

After the first SIGTERM or SIGINT: not ready any more, but still serving what comes, for `drain_delay`, so that load balancers
notice; then no new connections, and what is open has `grace` seconds; then the rest is told so and ends. A second signal skips
the waiting. In both cases every row is closed and the ledger committed before the process exits with 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import uvicorn

from gateway.app import Gateway
from gateway.server.reload import Reloader
from gateway.settings import Settings

log = logging.getLogger(__name__)

LAST_WORDS = 3.0  # seconds in which interrupted answers reach their clients; then their connections are cut


class DrainingServer(uvicorn.Server):
    """uvicorn would also raise the signal again at the end, and the process would be killed by it instead of exiting with 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        gateway: Gateway,
        *,
        settings: Settings,
        reloader: Reloader,
        last_words: float = LAST_WORDS,
        started: Callable[[str], None] = lambda url: None,
        needs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config)
        self._lifecycle = gateway.lifecycle
        self._drain_delay = settings.drain_delay
        self._grace = settings.grace
        self._last_words = last_words
        self._tell_started = started
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
            gc.freeze()  # else each full collection would walk all that was loaded, and hold up every stream meanwhile
            url = reachable(self.servers[0].sockets[0].getsockname())
            if sockets and self._needs is None:  # uvicorn names only the address of sockets that it opened itself
                log.info("Gateway running on %s (Press CTRL+C to quit)", url)
            self._tell_started(url)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._needs not in (None, os.getppid()) and self._accepts_until is None:
            self.handle_exit(signal.SIGTERM, None)
        if self._accepts_until is not None:
            self.should_exit = self.should_exit or self._clock() >= self._accepts_until
        else:
            await self._reloader.look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(self._grace, self._lifecycle.end),
            loop.call_later(self._grace + self._last_words, self._cut),
        ]
        await super().shutdown(sockets)
        gc.unfreeze()
        for timer in timers:
            timer.cancel()
        if self.force_exit:
            await self.lifespan.shutdown()

    def _cut(self) -> None:
        """Stop waiting for connections whose clients do not read."""
        self.force_exit = True


def reachable(address: tuple[Any, ...]) -> str:
    """Where this machine reaches a listening address, which may be that of all interfaces."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not listened on
    return f"http://[{host}]:{address[1]}" if ":" in host else f"http://{host}:{address[1]}"
