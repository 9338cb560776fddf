"""Answers as a list of steps, and the sending of them: bytes, pauses, and connections that break."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.lowlevel
from starlette.types import Receive, Scope, Send

TRANSPORT = "llm_simulator.transport"
"""The ASGI extension under which the simulator's own server lends out the connection."""
DRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait so many seconds; None waits until the client leaves."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """End the connection: `abort` closes it, `reset` sends RST, `raw` writes bytes past HTTP and closes."""

    how: Literal["abort", "reset", "raw"]
    raw: bytes = b""


Step = bytes | Delay | Break


@dataclass(slots=True)
class SimulatedResponse:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    before: Sequence[Step] = ()
    """Steps that come before the headers."""


class ConnectionBroken(ConnectionError):
    """Raised where the simulator runs without its own server and cannot break the connection itself."""


async def deliver(answer: SimulatedResponse, scope: Scope, receive: Receive, send: Send) -> bool:
    """Send the answer; False when the client left before its end."""
    finished = False
    broken: ConnectionBroken | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            # The body was read before, so the next message is that the client left.
            await receive()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            finished = await _send_all(answer, scope, send)
        except ConnectionBroken as error:
            broken = error
        tasks.cancel_scope.cancel()
    if broken:
        raise broken
    return finished


async def _send_all(answer: SimulatedResponse, scope: Scope, send: Send) -> bool:
    for step in answer.before:
        if not await _act(step, scope, send):
            return True
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for step in answer.steps:
        if not await _act(step, scope, send):
            return True
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True


async def _act(step: Step, scope: Scope, send: Send) -> bool:
    """Do one step; False when it ended the connection."""
    if isinstance(step, bytes):
        await send({"type": "http.response.body", "body": step, "more_body": True})
        await anyio.lowlevel.checkpoint()
        return True
    if isinstance(step, Delay):
        await (anyio.sleep_forever() if step.seconds is None else anyio.sleep(step.seconds))
        return True
    await _break(step, scope)
    return False


async def _break(step: Break, scope: Scope) -> None:
    transport: Any = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionBroken(step.how)
    if step.how == "raw":
        transport.write(step.raw)
        transport.close()
        return
    # What was written before must leave first: an abort would throw it away with the buffer.
    with anyio.move_on_after(DRAIN_SECONDS):
        while transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport has no event for it
            await anyio.sleep(0.002)
    if step.how == "reset":
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
