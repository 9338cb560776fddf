"""How what is under way is brought to an end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import GatewayError, Overloaded
from gateway.web.lifecycle import Lifecycle


class Open:
    """A request under way that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[GatewayError] = []

    def interrupt(self, why: GatewayError) -> None:
        self.told.append(why)


def test_draining_serves_on() -> None:
    """While draining requests are still taken, and none is interrupted."""
    lifecycle, request = Lifecycle(), Open()
    lifecycle.drain()
    lifecycle.opened(request)
    assert lifecycle.draining
    assert request.told == []


async def test_the_end_waits_for_what_is_open() -> None:
    """At the end what is open is interrupted once and nothing new begins; it has ended when the last one is closed."""
    lifecycle, first, second = Lifecycle(), Open(), Open()
    lifecycle.opened(first)
    lifecycle.opened(second)
    lifecycle.end()
    with pytest.raises(Overloaded):
        lifecycle.opened(Open())
    waiting = asyncio.create_task(lifecycle.ended())
    lifecycle.closed(first)
    await asyncio.sleep(0)
    assert not waiting.done()
    lifecycle.closed(second)
    await waiting
    assert [len(request.told) for request in (first, second)] == [1, 1]
