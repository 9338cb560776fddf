"""What only the httpx2 engine offers: other transports underneath, environment proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import respx

from gateway.errors import UpstreamInvalidResponse, UpstreamTruncated, UpstreamUnreachable
from gateway.transport import Timeouts
from gateway.transport.httpx_client import HttpxTransport
from tests.transport.servers import PATIENT, chat, pieces


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_function_can_replace_the_network() -> None:
    """A function can stand for the network."""
    seen: list[httpx2.Request] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"ok": True}, headers={"X-Id": "7"})

    transport = HttpxTransport(transport=httpx2.MockTransport(upstream))
    response = await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)

    assert await response.read() == b'{"ok":true}'
    assert (response.status, response.headers["x-id"]) == (200, "7")
    assert seen[0].read() == '{"hello":"wörld"}'.encode()
    await response.aclose()
    await transport.aclose()


async def test_empty_pieces_are_skipped() -> None:
    """An empty piece is no piece."""

    async def body() -> AsyncIterator[bytes]:
        for piece in (b"a", b"", b"b"):
            yield piece

    transport = HttpxTransport(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=body())))
    response = await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)
    assert await pieces(response) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx2.ConnectTimeout(""), UpstreamUnreachable),
        (httpx2.ReadError(""), UpstreamUnreachable),
        (httpx2.ProxyError("407 Proxy Authentication Required"), UpstreamUnreachable),
        (httpx2.LocalProtocolError("Illegal header value b'sk-secret'"), UpstreamUnreachable),
        (httpx2.RemoteProtocolError("Server disconnected without sending a response."), UpstreamUnreachable),
        (httpx2.RemoteProtocolError("illegal status line"), UpstreamInvalidResponse),
    ],
)
async def test_httpx_errors_while_sending_are_translated(error: httpx2.HTTPError, expected: type[Exception]) -> None:
    """No exception of httpx2 passes while sending, nor does its text."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        raise error

    transport = HttpxTransport(transport=httpx2.MockTransport(upstream))
    with pytest.raises(expected) as caught:
        await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx2.ReadError(""), UpstreamTruncated),
        (httpx2.RemoteProtocolError("peer closed connection without sending complete message body"), UpstreamTruncated),
        (httpx2.RemoteProtocolError("illegal chunk header"), UpstreamInvalidResponse),
    ],
)
async def test_httpx_errors_while_reading_are_translated(error: httpx2.HTTPError, expected: type[Exception]) -> None:
    """No exception of httpx2 passes while reading."""

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise error

    transport = HttpxTransport(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=body())))
    response = await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)
    with pytest.raises(expected) as caught:
        await response.read()
    assert type(caught.value) is expected


async def test_impossible_url_is_unreachable() -> None:
    """A URL that is none is an upstream that cannot be reached."""
    with pytest.raises(UpstreamUnreachable):
        await HttpxTransport().send(chat("https://[::1/v1"), timeouts=Timeouts())


async def test_cookies_are_not_sent_back() -> None:
    """What one answer's cookies say does not go out with the next request."""
    seen: list[httpx2.Headers] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, headers={"set-cookie": "session=1; Path=/"})

    transport = HttpxTransport(transport=httpx2.MockTransport(upstream))
    for _ in range(2):
        response = await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)
        await response.aclose()
    assert "cookie" not in seen[1]


async def test_respx_routes_replace_the_network(respx_mock: respx.MockRouter) -> None:
    """respx routes stand for the network without the engine knowing."""
    route = respx_mock.post("https://api.example/v1").respond(429, json={"error": {}}, headers={"retry-after": "3"})
    transport = HttpxTransport()
    response = await transport.send(chat("https://api.example/v1"), timeouts=PATIENT)

    assert (response.status, response.headers["retry-after"]) == (429, "3")
    assert await response.read() == b'{"error":{}}'
    assert route.calls.last.request.headers["x-api-key"] == "sk-secret"
    await transport.aclose()
