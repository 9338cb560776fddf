"""Clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from starlette.types import Message

from gateway.web.body import ClientGone
from gateway.web.departure import Departure
from gateway.web.lifecycle import Lifecycle


@dataclass
class Given:
    last: bool = False


class Client:
    """Sends a message that says nothing, stays until told to leave, and then says so for ever."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.messages: list[Message] = [{"type": "http.request"}]

    async def receive(self) -> Message:
        if self.messages:
            return self.messages.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}


async def forever() -> None:
    await asyncio.Event().wait()


async def serve(departure: Departure, work: Callable[[], Awaitable[object]] = forever) -> None:
    async with departure:
        await work()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_client_leaves() -> None:
    """A client that leaves cancels what is being done for it; the task itself goes on, not cancelled."""
    client = Client()
    client.left.set()
    with pytest.raises(ClientGone):
        await serve(Departure(client.receive, Given(), lifecycle=Lifecycle()))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_the_client_leaves_after_the_last_byte() -> None:
    """What looks like a departure once the last byte is on its way is the normal end."""
    client = Client()
    async with Departure(client.receive, Given(last=True), lifecycle=Lifecycle()):
        client.left.set()
        await turns()


async def test_the_client_leaves_while_its_error_is_being_found() -> None:
    """An error that got in ahead of the cancellation is the one that counts, and the cancellation is taken back."""
    client = Client()
    client.left.set()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            raise ValueError("first") from cancelled

    with pytest.raises(ValueError, match="first"):
        await serve(Departure(client.receive, Given(), lifecycle=Lifecycle()), work)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("leaves", [False, True], ids=["it alone", "as the client leaves"])
async def test_other_cancellations_pass(leaves: bool) -> None:
    """A cancellation by somebody else is not swallowed, not even when the client leaves in the same moment."""
    client = Client()
    task = asyncio.create_task(serve(Departure(client.receive, Given(), lifecycle=Lifecycle())))
    await turns()
    if leaves:
        client.left.set()
        asyncio.get_running_loop().call_soon(task.cancel)
    else:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_outside_of_a_task() -> None:
    """There is a task to cancel, or it is a mistake."""
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            Departure(Client().receive, Given(), lifecycle=Lifecycle()).__aenter__().send(None)
        except RuntimeError as error:
            failed.append(error)

    loop.call_soon(enter)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert failed
