"""Serving, draining, ending: the running requests, and how they are ended."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.errors import GatewayError, Overloaded


class OpenRequest(Protocol):
    def interrupt(self, why: GatewayError) -> None:
        """End it now and send `why` to its client."""


class Lifecycle:
    """The running requests. While draining, new ones are still served; from `end` on, open ones are interrupted and new ones
    refused."""

    def __init__(self) -> None:
        self.draining = False
        self.ending = False
        self._open: set[OpenRequest] = set()
        self._idle: asyncio.Event | None = None

    def start(self, request: OpenRequest) -> None:
        """Raises Overloaded once the end has begun."""
        if self.ending:
            raise _shutting_down()
        self._open.add(request)

    def closed(self, request: OpenRequest) -> None:
        self._open.discard(request)
        if self._idle is not None and not self._open:
            self._idle.set()
            self._idle = None

    def drain(self) -> None:
        """Report that the gateway is not ready for more."""
        self.draining = True

    def end(self) -> None:
        """Interrupt every open request."""
        self.draining = self.ending = True
        for request in tuple(self._open):
            request.interrupt(_shutting_down())

    async def ended(self) -> None:
        """Returns once no request is open."""
        while self._open:
            idle = self._idle = self._idle or asyncio.Event()
            await idle.wait()


def _shutting_down() -> Overloaded:
    return Overloaded("The gateway is shutting down; try again in a moment.")
