"""From serving to the end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.lifecycle import Lifecycle
from gateway.errors import GatewayError, Overloaded


class Request:
    """An open request that remembers why it was interrupted."""

    def __init__(self) -> None:
        self.told: list[GatewayError] = []

    def interrupt(self, why: GatewayError) -> None:
        self.told.append(why)


async def test_draining_changes_nothing_for_requests() -> None:
    """While draining, requests go on and new ones are taken."""
    lifecycle, request = Lifecycle(), Request()
    lifecycle.drain()
    lifecycle.start(request)
    assert (lifecycle.draining, lifecycle.ending, request.told) == (True, False, [])


async def test_shutdown_notifies_open_requests_only() -> None:
    """At the end every open request is told that the gateway is shutting down; one that is over is not."""
    lifecycle, first, second, over = Lifecycle(), Request(), Request(), Request()
    for request in (first, second, over):
        lifecycle.start(request)
    lifecycle.closed(over)
    lifecycle.end()
    assert (lifecycle.draining, lifecycle.ending) == (True, True)
    assert [type(why) for request in (first, second) for why in request.told] == [Overloaded, Overloaded]
    assert over.told == []


async def test_request_after_shutdown_is_refused() -> None:
    """A request that comes after the end has begun is refused with the same words."""
    lifecycle = Lifecycle()
    lifecycle.end()
    with pytest.raises(Overloaded, match="shutting down"):
        lifecycle.start(Request())


async def test_the_end_waits_for_every_request() -> None:
    """The end has come when the last of the open requests is over; without any it is there at once."""
    lifecycle, first, second = Lifecycle(), Request(), Request()
    await lifecycle.ended()
    lifecycle.start(first)
    lifecycle.start(second)
    ended = [asyncio.create_task(lifecycle.ended()) for _ in range(2)]
    await asyncio.sleep(0)
    lifecycle.closed(first)
    await asyncio.sleep(0)
    assert not any(task.done() for task in ended)
    lifecycle.closed(second)
    await asyncio.gather(*ended)
