"""The watch for clients that have left, at a clock of the test's own."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, cast

import pytest

from gateway.server.half_closed import BEGINNING, LONGEST_PAUSE, ResetWatch, reset
from tests.server.connections import Clock, Wire


class Reachable(Wire):
    """A wire with a socket that says which error it has."""

    error = 0
    options: tuple[int, int, bytes] | None = None

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.error

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        self.options = (level, option, value)


def watch(wire: Wire, clock: Clock) -> ResetWatch:
    return ResetWatch(cast(asyncio.Transport, wire), cast(Any, clock.call_later))


async def test_the_beginning_goes_out_byte_by_byte() -> None:
    """The bytes that are sent ahead are those that every answer begins with, no more, and the pauses between looks are bounded."""
    wire, clock = Reachable(), Clock()
    watch(wire, clock)
    assert wire.sent == b"H"
    lengths = []
    for _ in range(1000):
        assert clock.pending()[0] <= LONGEST_PAUSE
        clock.pass_by()
        lengths.append(len(wire.sent))
    assert wire.sent == BEGINNING
    assert lengths.index(len(BEGINNING)) > 60  # seconds, about: so long somebody who leaves late is noticed


@pytest.mark.parametrize("looks", [0, 1, 5, 1000])
async def test_half_closed_client_reads_one_answer(looks: int) -> None:
    """However much was sent ahead, the client reads one answer."""
    wire, clock = Reachable(), Clock()
    watching = watch(wire, clock)
    for _ in range(looks):
        clock.pass_by()
    for piece in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 is a protocol"):
        wire.write(watching.rest_of(piece))
        clock.pass_by()
    assert wire.sent == b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 is a protocol"


async def test_reset_socket_aborts_the_transport() -> None:
    """As soon as the socket has been reset the transport is aborted, and nobody looks any more."""
    wire, clock = Reachable(), Clock()
    watch(wire, clock)
    clock.pass_by()
    assert not wire.is_closing()
    wire.error = 104
    clock.pass_by()
    assert wire.end == "aborted"
    assert clock.pending() == []


async def test_stopped_watch_does_nothing() -> None:
    """A watch that was stopped does nothing."""
    clock = Clock()
    watch(Wire(), clock).stop()
    assert clock.pending() == []


@pytest.mark.parametrize("wire", [Reachable(), Wire()], ids=["socket", "none"])
async def test_abort_drops_what_is_written(wire: Wire) -> None:
    """A reset drops what is written, where there is a socket."""
    reset(cast(asyncio.Transport, wire))
    assert wire.end == "aborted"
    if isinstance(wire, Reachable):
        assert wire.options == (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
