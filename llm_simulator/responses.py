"""Sends responses as a list of steps: bytes, delays, and connection faults."""

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
"""The ASGI extension in which the simulator's server passes the connection's transport."""
DRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait for `seconds`; None waits until the client disconnects."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ConnectionFault:
    """End the connection: `abort` closes it, `reset` sends RST, `raw` writes bytes past HTTP and closes."""

    how: Literal["abort", "reset", "raw"]
    raw: bytes = b""


Step = bytes | Delay | ConnectionFault


@dataclass(slots=True)
class SimulatedResponse:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    before: Sequence[Step] = ()
    """Steps before the headers."""


class ConnectionBroken(ConnectionError):
    """Raised where the simulator runs without its own server and has no access to the connection."""


async def deliver(response: SimulatedResponse, scope: Scope, receive: Receive, send: Send) -> bool:
    """Send the response. Returns False where the client disconnected before its end."""
    finished = False
    failure: ConnectionBroken | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            # The body was already read, so the next message is the disconnect.
            await receive()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            finished = await _send_all(response, scope, send)
        except ConnectionBroken as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure:
        raise failure
    return finished


async def _send_all(response: SimulatedResponse, scope: Scope, send: Send) -> bool:
    for step in response.before:
        if not await _perform(step, scope, send):
            return True
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    for step in response.steps:
        if not await _perform(step, scope, send):
            return True
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True


async def _perform(step: Step, scope: Scope, send: Send) -> bool:
    """Perform one step. Returns False where it ended the connection."""
    if isinstance(step, bytes):
        await send({"type": "http.response.body", "body": step, "more_body": True})
        await anyio.lowlevel.checkpoint()
        return True
    if isinstance(step, Delay):
        await (anyio.sleep_forever() if step.seconds is None else anyio.sleep(step.seconds))
        return True
    await _break(step, scope)
    return False


async def _break(step: ConnectionFault, scope: Scope) -> None:
    transport: Any = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionBroken(step.how)
    if step.how == "raw":
        transport.write(step.raw)
        transport.close()
        return
    # Written bytes must be sent first: an abort would discard the buffer.
    with anyio.move_on_after(DRAIN_SECONDS):
        while transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport has no event for it
            await anyio.sleep(0.002)
    if step.how == "reset":
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
