"""Clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import pytest

from gateway.api import client as web
from gateway.api.body import ClientDisconnected
from gateway.api.disconnect import CancelOnDisconnect
from gateway.api.lifecycle import Lifecycle


@dataclass
class Given:
    finishing: bool = False


class Client:
    """Stays until told to leave."""

    def __init__(self) -> None:
        self.watched: Callable[[], None] | None = None

    def on_disconnect(self, left: Callable[[], None]) -> None:
        self.watched = left

    def off_disconnect(self) -> None:
        self.watched = None

    def leave(self) -> None:
        if self.watched is not None:
            self.watched()


def cancel_on_disconnect(client: Client, given: Given | None = None) -> CancelOnDisconnect:
    return CancelOnDisconnect(cast(web.RawRequest, client), given or Given(), lifecycle=Lifecycle())


async def forever() -> None:
    await asyncio.Event().wait()


async def serve(cancel_on_disconnect: CancelOnDisconnect, work: Callable[[], Awaitable[object]] = forever) -> None:
    with cancel_on_disconnect:
        await work()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_disconnect_cancels_the_work_but_not_the_task() -> None:
    """A client that leaves cancels what is being done for it; the task itself goes on, not cancelled."""
    client = Client()
    asyncio.get_running_loop().call_soon(client.leave)
    with pytest.raises(ClientDisconnected):
        await serve(cancel_on_disconnect(client))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_disconnect_after_the_last_byte_cancels_nothing() -> None:
    """What looks like a departure once the finishing byte is on its way is the normal end."""
    client = Client()
    with cancel_on_disconnect(client, Given(finishing=True)):
        client.leave()
        await turns()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_the_client_leaves_while_its_error_is_being_found() -> None:
    """An error that got in ahead of the cancellation is the one that counts, and the cancellation is taken back."""
    client = Client()
    asyncio.get_running_loop().call_soon(client.leave)

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            raise ValueError("first") from cancelled

    with pytest.raises(ValueError, match="first"):
        await serve(cancel_on_disconnect(client), work)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("leaves", [False, True], ids=["it alone", "as the client leaves"])
async def test_other_cancellations_pass(leaves: bool) -> None:
    """A cancellation by somebody else is not swallowed, not even when the client leaves in the same moment."""
    client = Client()
    task = asyncio.create_task(serve(cancel_on_disconnect(client)))
    await turns()
    if leaves:
        client.leave()
        task.cancel()
    else:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_disconnect_watch_needs_a_task() -> None:
    """There is a task to cancel, or it is a mistake."""
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            cancel_on_disconnect(Client()).__enter__()
        except RuntimeError as error:
            failed.append(error)

    loop.call_soon(enter)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert failed


async def test_disconnect_after_the_work_is_ignored() -> None:
    """Once the work is done the client may leave; nobody is told."""
    client = Client()
    with cancel_on_disconnect(client):
        pass
    assert client.watched is None
