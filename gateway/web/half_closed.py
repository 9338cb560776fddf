"""A client that has ended its side of the connection: does it still wait for its answer, or has it left?

TCP announces both in the same way. They differ once something is sent: the system of a client that has left answers with a
reset. So the first bytes of the status line, which every answer has in common, are sent at once, and then the socket is asked
from time to time whether a reset has come.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

BEGINNING = b"HTTP/1.1 "  # of every answer
FIRST_LOOK = 0.02  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE = 1.0
_AT_ONCE = struct.pack("ii", 1, 0)


class ResetWatch:
    """Aborts the transport once the socket has been reset, until it is stopped."""

    __slots__ = ("_loop", "_pause", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pause = FIRST_LOOK
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._pause, self._look)

    def _look(self) -> None:
        if was_reset(self._transport.get_extra_info("socket")):
            self._transport.abort()
            return
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._wait()


def was_reset(sock: Any) -> bool:
    """Whether the other side has refused what was sent to it."""
    return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def reset(transport: asyncio.Transport) -> None:
    """Close without delivering what is written: the kernel drops its buffers at once instead of retrying for minutes."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
