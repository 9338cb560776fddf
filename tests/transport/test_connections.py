"""What every engine promises about its connections: reuse, cancellation, trust."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from gateway.errors import UpstreamTimeout, UpstreamTLS, UpstreamTruncated, UpstreamUnreachable
from gateway.transport import Timeouts, Transport, tls_context
from tests.transport.conftest import MakeTransport
from tests.transport.servers import (
    ANSWER,
    CHUNKED,
    END,
    PATIENT,
    Peer,
    chat,
    chunk,
    says,
    says_and_leaves,
    self_signed,
    serve,
)


async def ask(transport: Transport, url: str) -> bytes:
    """Send, read everything, close twice: the second time does nothing."""
    response = await transport.send(chat(url), timeouts=PATIENT)
    try:
        return await response.read()
    finally:
        await response.aclose()
        await response.aclose()


async def test_connection_is_reused_after_a_whole_answer(transport: Transport) -> None:
    """A connection whose answer was read to its end serves the next request."""
    async with serve(says(ANSWER, CHUNKED + chunk(b"{}") + END)) as server:
        for _ in range(4):
            assert await ask(transport, server.url) == b"{}"
    assert server.connections == 1


async def test_parallel_requests_get_their_own_connections(transport: Transport) -> None:
    """Requests at the same time get connections of their own, and their own answers."""

    async def echo(peer: Peer) -> None:
        while True:
            _, _, body = (await peer.request()).partition(b"\r\n\r\n")
            await asyncio.sleep(0)
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async def one(number: int) -> bytes:
        response = await transport.send(chat(server.url, number=number), timeouts=PATIENT)
        try:
            return await response.read()
        finally:
            await response.aclose()

    async with serve(echo) as server:
        for _ in range(2):
            answers = await asyncio.gather(*(one(number) for number in range(20)))
            assert answers == [b'{"number":%d}' % number for number in range(20)]
    assert server.connections == 20


async def test_connection_closed_while_idle_costs_no_error(transport: Transport) -> None:
    """A kept connection that the upstream has closed meanwhile costs no error."""
    async with serve(says_and_leaves(ANSWER)) as server:
        assert await ask(transport, server.url) == b"{}"
        await server.ended.acquire()
        await asyncio.sleep(0.01)
        assert await ask(transport, server.url) == b"{}"
    assert server.connections == 2


async def test_unread_body_closes_the_connection(transport: Transport) -> None:
    """Closing before the body's end closes the connection; the next request gets a new one."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"half"))
        await peer.gone()
        left.set()

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert await response.read_chunk() == b"half"
        await response.aclose()
        await response.aclose()
        await asyncio.wait_for(left.wait(), 2)
        second = await transport.send(chat(server.url), timeouts=PATIENT)
        await second.aclose()
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer", [b"", CHUNKED, CHUNKED + chunk(b"half")], ids=["before-headers", "in-body", "mid-stream"]
)
async def test_cancelled_request_closes_its_connection(transport: Transport, answer: bytes) -> None:
    """Cancelling at any point closes the connection, which is never used again."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        asked.set()
        await peer.gone()
        left.set()

    async with serve(script) as server:
        task = asyncio.create_task(ask(transport, server.url))
        await asked.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(left.wait(), 2)
        await server.arrived.acquire()
        again = asyncio.create_task(ask(transport, server.url))
        await asyncio.wait_for(server.arrived.acquire(), 2)
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again


async def test_cancelled_requests_never_mix_answers(transport: Transport) -> None:
    """However many are cut off at random moments, nobody reads another's bytes."""

    async def echo(peer: Peer) -> None:
        while True:
            _, _, body = (await peer.request()).partition(b"\r\n\r\n")
            await peer.send(CHUNKED + chunk(body[:8]))
            await asyncio.sleep(0.002)
            await peer.send(chunk(body[8:]) + END)

    async def one(number: int) -> bool:
        response = await transport.send(chat(server.url, number=number), timeouts=PATIENT)
        try:
            return await response.read() == b'{"number":%d}' % number
        finally:
            await response.aclose()

    async def cut_off(number: int) -> bool:
        task = asyncio.create_task(one(number))
        await asyncio.sleep(number % 7 / 1000)
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return True

    async with serve(echo) as server:
        for _ in range(2):
            right = await asyncio.gather(*(cut_off(n) if n % 2 else one(n) for n in range(20)))
            assert all(right)


async def test_timed_out_request_closes_its_connection(transport: Transport) -> None:
    """A request that timed out closes its connection."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()
        left.set()

    async with serve(script) as server:
        with pytest.raises(UpstreamTimeout):
            await transport.send(chat(server.url), timeouts=Timeouts(first_byte=0.05))
        await asyncio.wait_for(left.wait(), 2)


async def test_closing_the_engine_closes_kept_connections(transport: Transport) -> None:
    """Closing the engine closes the connections it kept."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.gone()
        left.set()

    async with serve(script) as server:
        await ask(transport, server.url)
        await transport.aclose()
        assert await asyncio.wait_for(left.wait(), 2)


async def test_configured_ca_is_trusted(make_transport: MakeTransport, tmp_path: Path) -> None:
    """An upstream signed by a configured CA is trusted, and its connection kept like any other."""
    server_tls, ca_file = self_signed(tmp_path)
    transport = make_transport(tls=tls_context(ca_file))
    async with serve(says(ANSWER), tls=server_tls) as server:
        assert await ask(transport, server.url) == b"{}"
        assert await ask(transport, server.url) == b"{}"
        await transport.aclose()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("host", "days", "trusted", "reason"),
    [
        ("127.0.0.1", 1, False, "self-signed"),
        ("127.0.0.1", -1, True, "expired"),
        ("127.0.0.2", 1, True, "not valid for"),
    ],
    ids=["unknown-ca", "expired", "wrong-host"],
)
async def test_untrusted_certificate_ends_the_attempt(
    make_transport: MakeTransport, tmp_path: Path, host: str, days: int, trusted: bool, reason: str
) -> None:
    """A certificate that is not to be trusted ends the attempt before anything is sent, and the reason is told."""
    server_tls, ca_file = self_signed(tmp_path, host=host, days=days)
    transport = make_transport(tls=tls_context(ca_file if trusted else None))
    async with serve(says(ANSWER), tls=server_tls) as server:
        with pytest.raises(UpstreamTLS, match=reason) as caught:
            await ask(transport, server.url)
        await transport.aclose()
    assert "127.0.0.1:" not in caught.value.message


async def test_port_without_tls_is_untrusted(transport: Transport) -> None:
    """A port that does not speak TLS is not to be trusted either."""

    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve(script) as server:
        with pytest.raises(UpstreamTLS):
            await ask(transport, server.url.replace("http:", "https:"))


async def test_connect_timeout_covers_the_handshake(transport: Transport) -> None:
    """The connect timeout covers the handshake."""

    async def script(peer: Peer) -> None:
        await peer.gone()

    async with serve(script) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(UpstreamUnreachable, match="in time"):
            await transport.send(chat(url), timeouts=Timeouts(connect=0.05))


async def test_truncated_body_over_tls_is_an_error(make_transport: MakeTransport, tmp_path: Path) -> None:
    """Over TLS too a body that ends too soon is an error."""
    server_tls, ca_file = self_signed(tmp_path)
    transport = make_transport(tls=tls_context(ca_file))
    async with serve(says_and_leaves(CHUNKED + chunk(b"half")), tls=server_tls) as server:
        with pytest.raises(UpstreamTruncated):
            await ask(transport, server.url)
        await transport.aclose()


def test_tls_below_1_2_is_refused() -> None:
    """Nothing older than TLS 1.2 is spoken, and certificates are always checked."""
    context = tls_context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
