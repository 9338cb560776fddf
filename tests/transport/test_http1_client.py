"""What the built-in client does with its connections beyond the contract."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.errors import UpstreamError, UpstreamStaleConnection, UpstreamTruncated, UpstreamUnreachable
from gateway.transport.http1_client import MAX_IDLE, MAX_PREPARED, Http1Transport
from tests.transport.servers import (
    ANSWER,
    CHUNKED,
    END,
    PATIENT,
    Peer,
    Script,
    chat,
    chunk,
    says,
    says_and_hangs,
    says_and_resets,
    serve,
)


@pytest.fixture
async def client() -> AsyncIterator[Http1Transport]:
    transport = Http1Transport()
    yield transport
    await transport.aclose()


async def ask(transport: Http1Transport, url: str) -> bytes:
    response = await transport.send(chat(url), timeouts=PATIENT)
    try:
        return await response.read()
    finally:
        await response.aclose()


async def test_surplus_bytes_are_not_the_next_answer(client: Http1Transport) -> None:
    """Bytes that nobody asked for are not taken as the next answer."""
    async with serve(says_and_hangs(ANSWER + ANSWER.replace(b"{}", b"!!"))) as server:
        assert await ask(client, server.url) == b"{}"
        response = await client.send(chat(server.url), timeouts=PATIENT)
        assert await response.read() == b"{}"
    assert server.connections == 2


def closes_at_second(how: Script) -> Script:
    """Answer the first request; treat the second on the same connection as `how` does."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await how(peer)

    return script


async def test_stale_connections_are_dropped_together(client: Http1Transport) -> None:
    """After a kept connection ended under a request, those that have rested for longer are dropped: the next request gets a new one."""
    both_here = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        await peer.request()
        await both_here.wait()
        await peer.send(ANSWER)
        await peer.request()

    async with serve(script) as server:
        await asyncio.gather(*(ask(client, server.url) for _ in range(2)))
        with pytest.raises(UpstreamStaleConnection):
            await ask(client, server.url)
        assert not client._prepared(chat(server.url)).idle


@pytest.mark.parametrize("surplus", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["end", "bytes"])
async def test_end_that_nobody_has_noticed(client: Http1Transport, surplus: bytes) -> None:
    """The socket is asked whether the upstream has closed a kept connection, before anything is written on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        requests = []
        for _ in range(2):
            asked = asyncio.create_task(ask(client, url))
            upstream, _ = await asyncio.to_thread(listener.accept)
            requests.append(await asyncio.to_thread(upstream.recv, 65536))
            upstream.sendall(ANSWER)
            assert await asked == b"{}"
            # What comes now is in the socket, but the event loop does not run before the next request.
            upstream.sendall(surplus)
            upstream.close()
    assert len(requests) == 2


@pytest.mark.parametrize(("said", "connections"), [(b"timeout=1", 2), (b"max=5, timeout=60", 1), (b"max=5", 1)])
async def test_upstream_says_how_long_it_keeps_connections(
    client: Http1Transport, said: bytes, connections: int
) -> None:
    """A connection is not used in the last second of the time for which the upstream keeps it."""
    answer = ANSWER.replace(b"\r\n\r\n", b"\r\nKeep-Alive: %b\r\n\r\n" % said)
    async with serve(says(answer)) as server:
        for _ in range(2):
            assert await ask(client, server.url) == b"{}"
    assert server.connections == connections


async def test_request_is_not_resent_after_the_first_byte(client: Http1Transport) -> None:
    """Once a byte of an answer has come, the request is not sent again by itself."""
    async with serve(closes_at_second(says_and_resets(b"HTTP/1.1 200 "))) as server:
        assert await ask(client, server.url) == b"{}"
        with pytest.raises(UpstreamUnreachable):
            await ask(client, server.url)
    assert server.connections == 1


async def test_kept_connection_is_closed_after_its_rest() -> None:
    """A connection that nobody used for its time is closed."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.gone()
        left.set()

    async with serve(script) as server:
        await ask(Http1Transport(keep_alive=0.02), server.url)
        assert await asyncio.wait_for(left.wait(), 2)


async def test_last_chunk_need_not_be_read_to_keep_the_connection(client: Http1Transport) -> None:
    """Who stops at a stream's last event need not read its last chunk for the connection to be kept."""
    async with serve(says(CHUNKED + chunk(b"data: [DONE]\n\n") + END)) as server:
        for _ in range(2):
            response = await client.send(chat(server.url), timeouts=PATIENT)
            assert await response.read_chunk() == b"data: [DONE]\n\n"
            await response.aclose()
            with pytest.raises(UpstreamTruncated):
                await response.read_chunk()
    assert server.connections == 1


async def test_oldest_idle_connection_is_closed_above_the_limit(client: Http1Transport) -> None:
    """Beyond so many kept connections the oldest is closed."""
    all_here = asyncio.Barrier(MAX_IDLE + 1)

    async def script(peer: Peer) -> None:
        await peer.request()
        await all_here.wait()
        await peer.send(ANSWER)
        await peer.gone()

    async with serve(script) as server:
        await asyncio.gather(*(ask(client, server.url) for _ in range(MAX_IDLE + 1)))
        await asyncio.wait_for(server.ended.acquire(), 2)
        assert server.ended.locked()


async def test_connection_returned_after_close_is_not_kept(client: Http1Transport) -> None:
    """After the engine is closed, connections that come back are not kept."""
    async with serve(says(ANSWER)) as server:
        response = await client.send(chat(server.url), timeouts=PATIENT)
        await client.aclose()
        assert await response.read() == b"{}"
        assert await ask(client, server.url) == b"{}"
    assert server.connections == 2


@pytest.mark.parametrize("url", ["nonsense", "http://h/\u00e9", "http://h/a b", "http://h\r\nx: y/"])
async def test_impossible_url_is_unreachable(client: Http1Transport, url: str) -> None:
    """A URL that is none is an upstream that cannot be reached."""
    with pytest.raises(UpstreamUnreachable, match="its URL"):
        await client.send(chat(url), timeouts=PATIENT)


async def test_ipv6_address_is_bracketed_in_the_host_header(client: Http1Transport) -> None:
    """An address of colons is bracketed in the host header and nowhere else."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(ANSWER)

    async with serve(script, host="::1") as server:
        await ask(client, server.url)
        assert b"\r\nhost: [::1]:" in seen[0]


async def test_default_port_is_that_of_the_scheme(client: Http1Transport) -> None:
    """Without a port the scheme's own is used."""
    for url in ("http://gateway.invalid", "https://gateway.invalid"):
        with pytest.raises(UpstreamError):
            await client.send(chat(url), timeouts=PATIENT)


async def test_few_destinations_are_remembered(client: Http1Transport) -> None:
    """However many URLs clients can make, only so many are remembered."""
    async with serve(says(ANSWER)) as server:
        for number in range(MAX_PREPARED + 2):
            client._prepared(chat(f"{server.url}/{number}"))
        assert len(client._prepared_by_url) <= MAX_PREPARED
        assert await ask(client, server.url) == b"{}"


async def test_each_request_carries_its_own_headers(client: Http1Transport) -> None:
    """Requests to one URL with other headers, as of another key, carry their own; the same ones are written once."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(ANSWER)

    async with serve(script) as server:
        first = chat(server.url)
        for request in (first, first, first._replace(headers={"x-api-key": "sk-other"})):
            response = await client.send(request, timeouts=PATIENT)
            await response.read()
    assert [b"\r\nx-api-key: sk-secret\r\n" in request for request in seen] == [True, True, False]
    assert b"\r\nx-api-key: sk-other\r\n" in seen[2]


async def test_headers_outlive_the_reuse_of_the_connection(client: Http1Transport) -> None:
    """An answer's headers stay its own when its connection serves another request."""
    answers = (ANSWER.replace(b"\r\n\r\n", b"\r\nx-id: %d\r\n\r\n" % number) for number in (1, 2))
    async with serve(says(*answers)) as server:
        responses = []
        for _ in range(2):
            responses.append(await client.send(chat(server.url), timeouts=PATIENT))
            await responses[-1].read()
    assert server.connections == 1
    assert [response.headers["x-id"] for response in responses] == ["1", "2"]


async def test_rests_each_its_own_time(client: Http1Transport) -> None:
    """Of the connections that rest, those are closed that have rested for too long, and the others stay."""
    both_here = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        await peer.request()
        await both_here.wait()
        await peer.send(ANSWER)
        await peer.gone()

    async with serve(script) as server:
        await asyncio.gather(*(ask(client, server.url) for _ in range(2)))
        older, newer = client._prepared(chat(server.url)).idle
        older.idle_since -= 60
        client._sweep()
        assert (older.is_open, newer.is_open) == (False, True)
        await asyncio.wait_for(server.ended.acquire(), 2)
        assert server.ended.locked()
