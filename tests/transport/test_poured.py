"""What every engine promises of a body that is poured, held against real sockets on both event loops."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamTimeout, UpstreamTruncated
from gateway.transport import Timeouts, Transport
from tests.transport.servers import (
    CHUNKED,
    END,
    PATIENT,
    Peer,
    chat,
    chunk,
    keeping,
    pieces,
    says_and_drips,
    says_and_hangs,
    says_and_leaves,
    serve,
)


async def test_poured_body_comes_piece_by_piece_to_its_end(transport: Transport) -> None:
    """A body that is poured comes piece by piece as it arrives, to its end."""
    go_on = asyncio.Event()
    come: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        await go_on.wait()
        await peer.send(chunk(b"second") + END)

    def into(piece: bytes) -> bool:
        come.append(piece)
        go_on.set()
        return True

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert not await response.stream_into(into)
        assert not await response.stream_into(into)
        assert await response.read_chunk() == b""
        await response.aclose()
    assert come == [b"first", b"second"]


async def test_pouring_stops_when_the_receiver_is_full(transport: Transport) -> None:
    """Pouring ends as soon as a piece was one too many; what comes later is there for the next."""
    steps = [asyncio.Event() for _ in range(3)]
    come: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for number, step in enumerate(steps):
            await step.wait()
            await peer.send(chunk(b"%d" % number))
        await peer.send(END)

    def into(piece: bytes) -> bool:
        come.append(piece)
        steps[len(come)].set()
        return len(come) < 2

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        steps[0].set()
        assert await response.stream_into(into)
        assert come == [b"0", b"1"]
        assert await pieces(response) == [b"2"]
        await response.aclose()


async def test_receiver_error_is_raised_while_pouring(transport: Transport) -> None:
    """What the receiver raises comes out where the body is poured, whoever called it."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        await go_on.wait()
        await peer.send(chunk(b"second"))
        await peer.gone()

    def into(piece: bytes) -> bool:
        go_on.set()
        return {b"first": True}[piece]

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        with pytest.raises(KeyError, match="second"):
            await response.stream_into(into)
        await response.aclose()


async def test_silence_while_pouring_times_out(transport: Transport) -> None:
    """Silence ends what is poured as it ends what is read, after the pieces that came."""
    come: list[bytes] = []
    async with serve(says_and_hangs(CHUNKED + chunk(b"half"))) as server:
        response = await transport.send(chat(server.url), timeouts=Timeouts(idle=0.05))
        with pytest.raises(UpstreamTimeout, match=r"0\.05 s"):
            await response.stream_into(keeping(come))
        await response.aclose()
    assert come == [b"half"]


async def test_total_timeout_cuts_an_endless_poured_body(transport: Transport) -> None:
    """Who drips for ever is cut at the total deadline when the body is poured, too."""
    async with serve(says_and_drips(CHUNKED, chunk(b"."))) as server:
        response = await transport.send(chat(server.url), timeouts=Timeouts(idle=1, total=0.1))
        with pytest.raises(UpstreamTimeout, match=r"0\.1 s"):
            await response.stream_into(lambda _: True)
        await response.aclose()


async def test_truncated_poured_body_is_an_error(transport: Transport) -> None:
    """A body that ends too soon is an error after what came, poured or not."""
    come: list[bytes] = []
    async with serve(says_and_leaves(CHUNKED + chunk(b"half"))) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        with pytest.raises(UpstreamTruncated):
            await response.stream_into(keeping(come))
        await response.aclose()
    assert come == [b"half"]
