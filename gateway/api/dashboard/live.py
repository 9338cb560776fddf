"""Tells open pages that the ledger has changed, by server-sent events; a page then reads its own address again.

One task watches the ledger for all viewers of this process, and only while there are any. It asks for the ledger's revision:
soon after a commit of this process, and every few seconds because other processes may write the same ledger. A viewer has no
queue: it compares the newest revision with the one that it sent last. So a viewer that reads slowly misses steps, not the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api.auth import Authenticator, Role
from gateway.api.dashboard.rendering import SECURITY_HEADERS
from gateway.errors import GatewayError, LedgerUnavailable, Overloaded
from gateway.records import RequestRecord

log = logging.getLogger(__name__)

STEP_SECONDS = 0.5  # between two looks, also at whether a viewer may still look
POLL_STEPS = 4  # until the ledger is asked although this process has committed nothing
BEAT_STEPS = 10  # until a viewer is sent something, so that proxies keep the connection
MAX_VIEWERS = 50  # of one process
MAX_REVISION = 200  # characters of a revision that a client names
BEAT = b": heartbeat\nevent: tick\ndata: 1\n\n"
HEADERS = {**SECURITY_HEADERS, "x-accel-buffering": "no"}  # keeps nginx from buffering the stream


class LiveUpdates:
    """`revision` reads what changes with the ledger, and blocks. Streams end once `ending` says that the gateway stops."""

    def __init__(
        self,
        revision: Callable[[], str],
        *,
        ending: Callable[[], bool],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._read = revision
        self._ending = ending
        self._sleep = sleep
        self._revision: str | None = None
        self._viewers = 0
        self._watched = asyncio.Event()
        self._step = asyncio.Event()
        self._committed = False
        self._generation = 0

    def observe(self, record: RequestRecord) -> None:
        """A row was committed. Called for every request."""
        self._committed = True

    def wake(self) -> None:
        """Let every viewer look now whether it may still look: a session has ended."""
        self._step.set()
        self._step = asyncio.Event()

    def restart(self) -> None:
        """End all streams, whose browsers then connect again: the configuration, and with it the admin key, may have changed."""
        self._generation += 1
        self.wake()

    async def run(self) -> None:
        """Watch until cancelled."""
        steps = 0
        while True:
            await self._watched.wait()
            if self._committed or self._revision is None or steps >= POLL_STEPS:
                self._committed, steps = False, 0
                try:
                    self._revision = await asyncio.to_thread(self._read)
                except LedgerUnavailable as error:
                    log.debug("the ledger's revision cannot be read: %s", error)
            self.wake()
            await self._sleep(STEP_SECONDS)
            steps += 1

    async def events(self, *, seen: str | None, allowed: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        """The stream of one viewer, whose page shows the revision `seen`; it ends when `allowed` is false. Raises Overloaded."""
        if self._viewers >= MAX_VIEWERS:
            raise Overloaded(f"More than {MAX_VIEWERS} pages are open; this one does not update itself.")
        generation, quiet = self._generation, 0
        self._viewers += 1
        self._watched.set()
        try:
            yield b"retry: 2000\n\n"
            while generation == self._generation and not self._ending() and allowed():
                if self._revision is not None and self._revision != seen:
                    seen, quiet = self._revision, 0
                    yield f"id: {seen}\nevent: change\ndata: 1\n\n".encode()
                elif quiet >= BEAT_STEPS:
                    quiet = 0
                    yield BEAT
                else:
                    await self._step.wait()
                    quiet += 1
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._watched.clear()
                self._revision = None


class LiveEndpoint:
    """`GET /dashboard/live`. The caller is authenticated again and again: a stream ends with its session or key."""

    def __init__(self, updates: LiveUpdates, authenticator: Authenticator) -> None:
        self._updates = updates
        self._authenticator = authenticator

    async def get(self, request: Request) -> Response:
        seen = request.headers.get("last-event-id") or request.query_params.get("revision", "")
        events = self._updates.events(seen=seen[:MAX_REVISION], allowed=lambda: self._allowed(request))
        first = await anext(events)

        async def all_events() -> AsyncIterator[bytes]:
            yield first
            async for event in events:
                yield event

        return StreamingResponse(all_events(), media_type="text/event-stream", headers=HEADERS)

    def _allowed(self, request: Request) -> bool:
        try:
            self._authenticator.authenticate(request.scope["headers"], Role.ADMIN)
        except GatewayError:
            return False
        return True
