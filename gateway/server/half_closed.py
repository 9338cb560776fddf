"""Half-closed connections: finds out whether a client that sends no more still waits for its answer or has left.

TCP announces both in the same way. They differ once something is sent: the system of a client that has left answers with a
reset. So the first bytes of the status line, which every answer has in common, are sent ahead, one by one with growing pauses,
and the socket is asked whether a reset has come.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

BEGINNING = b"HTTP/1.1 "  # of every answer
FIRST_PROBE = 0.02  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE = 1.0
SPACING = 3  # the next byte goes out when this many times the time has passed
_NO_LINGERING = struct.pack("ii", 1, 0)


class ResetWatch:
    """Aborts the transport once the socket has been reset, until it is stopped."""

    __slots__ = ("_due", "_later", "_passed", "_pause", "_sent", "_timer", "_transport")

    def __init__(
        self, transport: asyncio.Transport, later: Callable[[float, Callable[[], None]], asyncio.TimerHandle]
    ) -> None:
        """`later` is the event loop's `call_later`."""
        self._transport = transport
        self._later = later
        self._sent: int | None = 0  # bytes of the beginning; None once the answer itself is being sent
        self._pause = self._due = FIRST_PROBE
        self._passed = 0.0
        self._probe()
        self._timer = later(self._pause, self._on_timer)

    def stop(self) -> None:
        self._timer.cancel()

    def rest_of(self, answer: bytes) -> bytes:
        """The part of these bytes that was not sent ahead. They are an answer's first bytes, or follow them."""
        sent, self._sent = self._sent, None
        return answer[sent:] if sent else answer

    def _probe(self) -> None:
        if self._sent is not None and self._sent < len(BEGINNING):
            self._transport.write(BEGINNING[self._sent : self._sent + 1])
            self._sent += 1

    def _on_timer(self) -> None:
        if was_reset(self._transport.get_extra_info("socket")):
            self._transport.abort()
            return
        self._passed += self._pause
        if self._passed >= self._due:
            self._due = SPACING * self._passed
            self._probe()
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._timer = self._later(self._pause, self._on_timer)


def was_reset(sock: Any) -> bool:
    """Whether the other side has refused what was sent to it."""
    return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def reset(transport: asyncio.Transport) -> None:
    """Close without delivering what is written: the kernel drops its buffers at once instead of retrying for minutes."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()
