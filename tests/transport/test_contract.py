"""What every engine promises, held against real sockets on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import re

import orjson
import pytest

from gateway.errors import (
    UpstreamDisconnected,
    UpstreamError,
    UpstreamInvalidResponse,
    UpstreamStaleConnection,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from gateway.transport import Timeouts, Transport
from tests.transport.servers import (
    ANSWER,
    CHUNKED,
    END,
    PATIENT,
    Peer,
    Script,
    chat,
    chunk,
    pieces,
    says,
    says_and_drips,
    says_and_hangs,
    says_and_leaves,
    says_and_resets,
    serve,
)


async def collected(transport: Transport, url: str, *, timeouts: Timeouts = PATIENT) -> bytes:
    """Send, read everything, close."""
    response = await transport.send(chat(url), timeouts=timeouts)
    try:
        return b"".join(await pieces(response))
    finally:
        await response.aclose()


async def refused(transport: Transport, url: str, *, timeouts: Timeouts = PATIENT) -> UpstreamError:
    """The error this upstream ends in; it names the provider and gives nothing away."""
    with pytest.raises(UpstreamError) as caught:
        await collected(transport, url, timeouts=timeouts)
    error = caught.value
    assert error.provider == "claude"
    assert "claude" in error.message
    assert not re.search("sk-secret|in-url|127.0.0.1", error.message)
    return error


async def test_request_on_the_wire(transport: Transport) -> None:
    """One POST goes out: the URL's path and query, its host, the JSON body, the given headers, no wish for compression."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(ANSWER)

    async with serve(script) as server:
        await collected(transport, server.url)
        head, _, body = seen[0].partition(b"\r\n\r\n")
        lines = [line.lower() for line in head.decode().split("\r\n")]

    assert lines[0] == "post /v1/chat?key=in-url http/1.1"
    assert sorted(lines[1:]) == sorted(set(lines[1:]))
    assert set(lines) >= {
        f"host: {server.url.split('/')[2]}",
        "x-api-key: sk-secret",
        "content-type: application/json",
        "accept-encoding: identity",
        f"content-length: {len(body)}",
    }
    assert orjson.loads(body) == {"hello": "wörld"}


async def test_answer_arrives_as_sent(transport: Transport) -> None:
    """Status, lower-case headers and body arrive as sent, whatever the status."""
    answer = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nX-Many: a\r\nX-Many: b\r\nContent-Length: 4\r\n\r\nwait"
    async with serve(says(answer)) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        body = await response.read()
        await response.aclose()

    assert (response.status, body) == (429, b"wait")
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-many"] == "a, b"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED + chunk(b"one ") + chunk(b"two") + END, b"one two"),
        (CHUNKED + b"3;ext=1\r\none\r\n0\r\nx-trailer: 1\r\n\r\n", b"one"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbye", b"bye"),
    ],
    ids=["chunked", "trailers", "empty", "no-content", "until-close", "http-1.0", "connection-close"],
)
async def test_every_legal_framing_gives_the_same_body(transport: Transport, answer: bytes, body: bytes) -> None:
    """Every legal way to say how long a body is gives the same body."""
    async with serve(says_and_leaves(answer)) as server:
        assert await collected(transport, server.url) == body
        assert await collected(transport, server.url) == body


@pytest.mark.parametrize(
    "informational", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"]
)
async def test_informational_responses_are_skipped(transport: Transport, informational: bytes) -> None:
    """100 and 103 are not the answer; what follows them is."""
    async with serve(says(informational * 2 + ANSWER)) as server:
        assert await collected(transport, server.url) == b"{}"


async def test_answer_is_read_byte_by_byte(transport: Transport) -> None:
    """A head and body that come byte by byte are read like one that comes at once."""
    answer = CHUNKED + chunk("é".encode()) + END

    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in answer:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)

    async with serve(script) as server:
        assert await collected(transport, server.url) == "é".encode()


async def test_body_bytes_are_untouched(transport: Transport) -> None:
    """No byte is decoded, split or normalised on its way."""
    body = 'data: {"a":"\u2028\u0085\x0b"}\r\n\r\n'.encode() + bytes(range(256))
    async with serve(says(CHUNKED + chunk(body) + END)) as server:
        assert await collected(transport, server.url) == body


async def test_piece_is_handed_on_at_once(transport: Transport) -> None:
    """A piece is handed on before the upstream sends the next one."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        await go_on.wait()
        await peer.send(chunk(b"second") + END)

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert await response.read_chunk() == b"first"
        go_on.set()
        assert await pieces(response) == [b"second"]
        assert await response.read_chunk() == b""
        await response.aclose()


async def test_response_is_there_with_its_headers(transport: Transport) -> None:
    """The response is there as soon as its headers are."""
    async with serve(says_and_hangs(CHUNKED)) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert response.status == 200
        await response.aclose()


async def test_large_bodies_go_both_ways(transport: Transport) -> None:
    """Megabytes go both ways."""
    body = b"x" * 3_000_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with serve(says(answer)) as server:
        response = await transport.send(chat(server.url, text="y" * 3_000_000), timeouts=PATIENT)
        assert await response.read() == body
        await response.aclose()


async def test_body_above_the_limit_is_refused_and_closed(transport: Transport) -> None:
    """An answer beyond the limit is refused and its connection closed, even when it never ends."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        with contextlib.suppress(ConnectionError):
            while True:
                await peer.send(chunk(b"x" * 1000))
        left.set()

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        with pytest.raises(UpstreamInvalidResponse, match="more than 5000 bytes"):
            await response.read(limit=5000)
        await asyncio.wait_for(left.wait(), 2)


async def test_stalled_reader_bounds_the_buffer(transport: Transport) -> None:
    """Who does not read holds the upstream back: what is buffered here is bounded."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b"x" * 65536))
            sent += 65536

    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        before = -1
        while before < sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 32 * 1024 * 1024
        await response.aclose()


async def test_closed_port_is_unreachable(transport: Transport) -> None:
    """A closed port is unreachable, and the reason is told."""
    async with serve(says(ANSWER)) as server:
        pass
    error = await refused(transport, server.url)
    assert type(error) is UpstreamUnreachable
    assert "refuses connections" in error.message


async def test_unknown_host_is_unreachable(transport: Transport) -> None:
    """A name that DNS does not know is unreachable."""
    error = await refused(transport, "http://gateway.invalid/v1/chat")
    assert type(error) is UpstreamUnreachable
    assert "cannot be resolved" in error.message


@pytest.mark.parametrize(
    "script",
    [says_and_leaves(b""), says_and_resets(b""), says_and_leaves(b"HTTP/1.1 200 OK\r\nx-")],
    ids=["fin", "rst", "fin-in-head"],
)
async def test_connection_lost_before_headers_is_unreachable(transport: Transport, script: Script) -> None:
    """A connection that ends after the request was sent and before its headers do is unreachable, and may be billed."""
    async with serve(script) as server:
        error = await refused(transport, server.url)
    assert (type(error), error.code, error.maybe_billed) == (UpstreamDisconnected, "upstream_unreachable", True)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_nothing_is_sent_twice(transport: Transport, reset: bool) -> None:
    """A request that was read on a kept connection, which then ended, is not sent again; the error says where it happened."""
    requests = 0

    async def script(peer: Peer) -> None:
        nonlocal requests
        await peer.request()
        await peer.send(ANSWER)
        await peer.request()
        requests += 1
        if reset:
            peer.reset()

    async with serve(script) as server:
        assert await collected(transport, server.url) == b"{}"
        error = await refused(transport, server.url)
    assert (type(error), error.maybe_billed, requests, server.connections) == (UpstreamStaleConnection, True, 1, 1)


@pytest.mark.parametrize("status", [b"000", b"099", b"600", b"999"])
async def test_impossible_status_is_an_invalid_response(transport: Transport, status: bytes) -> None:
    """A status outside of 100 to 599 is an invalid response at once."""
    async with serve(says_and_hangs(ANSWER.replace(b"200", status))) as server:
        assert type(await refused(transport, server.url)) is UpstreamInvalidResponse


@pytest.mark.parametrize(
    "script",
    [
        says_and_resets(CHUNKED + chunk(b"half")),
        says_and_leaves(CHUNKED + chunk(b"half")),
        says_and_leaves(CHUNKED + b"ff\r\nhalf"),
        says_and_leaves(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        says_and_resets(b"HTTP/1.1 200 OK\r\n\r\nhalf"),
    ],
    ids=["rst", "no-last-chunk", "in-chunk", "content-length", "until-close-rst"],
)
async def test_truncated_body_is_an_error(transport: Transport, script: Script) -> None:
    """What came is handed on, then a body that ends too soon is an error, not an end."""
    async with serve(script) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert await response.read_chunk() == b"half"
        with pytest.raises(UpstreamTruncated) as caught:
            await response.read_chunk()
        await response.aclose()
    assert caught.value.upstream_status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"FTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-many: y\r\n" * 20_000 + b"\r\n",
        CHUNKED + b"zz\r\n",
    ],
    ids=["protocol", "status", "tls", "header", "length", "long-header", "many-headers", "chunk"],
)
async def test_bytes_that_are_no_http_are_an_invalid_response(transport: Transport, answer: bytes) -> None:
    """Bytes that break HTTP's rules, or too many of them before the body, are an invalid response."""
    async with serve(says_and_hangs(answer)) as server:
        error = await refused(transport, server.url)
    assert type(error) is UpstreamInvalidResponse


async def test_compressed_body_is_refused_and_closed(transport: Transport) -> None:
    """A compressed body is refused before it is unpacked, and its connection closed: its size is anyone's guess."""
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 300000\r\n\r\n\x1f\x8b")
        await peer.gone()
        left.set()

    async with serve(script) as server:
        error = await refused(transport, server.url)
        await asyncio.wait_for(left.wait(), 2)
    assert type(error) is UpstreamInvalidResponse


async def test_redirect_is_not_followed(transport: Transport) -> None:
    """A redirect is an answer like another; nobody goes there."""
    async with serve(says(ANSWER)) as elsewhere:
        location = elsewhere.url.encode()
        async with serve(says(b"HTTP/1.1 307 There\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % location)) as server:
            response = await transport.send(chat(server.url), timeouts=PATIENT)
            await response.aclose()
    assert response.status == 307
    assert elsewhere.connections == 0


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nx-half: "], ids=["nothing", "half-a-head"])
async def test_missing_headers_time_out(transport: Transport, answer: bytes) -> None:
    """Without headers in time the upstream timed out."""
    async with serve(says_and_hangs(answer)) as server:
        error = await refused(transport, server.url, timeouts=Timeouts(first_byte=0.05))
    assert type(error) is UpstreamTimeout
    assert error.upstream_status is None
    assert "0.05 s" in error.message


async def test_silence_in_the_body_times_out(transport: Transport) -> None:
    """Silence within the body ends it, after the pieces that came."""
    async with serve(says_and_hangs(CHUNKED + chunk(b"half"))) as server:
        response = await transport.send(chat(server.url), timeouts=Timeouts(idle=0.05))
        assert await response.read_chunk() == b"half"
        with pytest.raises(UpstreamTimeout, match=r"0\.05 s"):
            await response.read_chunk()
        await response.aclose()


@pytest.mark.parametrize("poured", [False, True])
async def test_idle_timeout_can_change_while_open(transport: Transport, poured: bool) -> None:
    """How long the body may be silent can be changed while it is open."""
    async with serve(says_and_hangs(CHUNKED + chunk(b"half"))) as server:
        response = await transport.send(chat(server.url), timeouts=PATIENT)
        assert await response.read_chunk() == b"half"
        response.allow_silence(0.05)
        with pytest.raises(UpstreamTimeout, match=r"0\.05 s"):
            await (response.stream_into(lambda piece: True) if poured else response.read_chunk())
        await response.aclose()


async def test_total_timeout_cuts_an_endless_body(transport: Transport) -> None:
    """Who drips for ever is cut at the total deadline, however short the pauses."""
    async with serve(says_and_drips(CHUNKED, chunk(b"."))) as server:
        error = await refused(transport, server.url, timeouts=Timeouts(idle=1, total=0.1))
    assert type(error) is UpstreamTimeout
    assert "0.1 s" in error.message


async def test_total_timeout_covers_the_headers(transport: Transport) -> None:
    """The total deadline also covers the time before the headers."""
    async with serve(says_and_hangs(b"")) as server:
        error = await refused(transport, server.url, timeouts=Timeouts(first_byte=9, total=0.05))
    assert type(error) is UpstreamTimeout
