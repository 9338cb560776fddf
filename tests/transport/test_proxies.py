"""Which proxy is used for which upstream, and what goes through it: real proxies on loopback, both engines."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import UpstreamError, UpstreamTLS, UpstreamUnreachable
from gateway.transport import Proxies, Transport, tls_context
from gateway.transport.http1_client import Http1Transport
from tests.transport.conftest import MakeTransport
from tests.transport.servers import (
    ANSWER,
    PATIENT,
    Peer,
    chat,
    says,
    says_and_hangs,
    says_and_leaves,
    self_signed,
    serve,
)

# `curl` understands all of these alike.
ROUTES = [
    ({"HTTPS_PROXY": "http://p:1"}, "https://api.example/v1", "http://p:1"),
    ({"HTTPS_PROXY": "http://p:1"}, "http://api.example/v1", None),
    ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:2"}, "https://api.example", "http://lower:2"),
    ({"HTTPS_PROXY": "http://upper:1", "https_proxy": ""}, "https://api.example", "http://upper:1"),
    ({"ALL_PROXY": "p:1"}, "https://api.example", "http://p:1"),
    ({"ALL_PROXY": "http://all:1", "http_proxy": "http://plain"}, "http://api.example", "http://plain:80"),
    ({"HTTPS_PROXY": "https://user:word@p"}, "https://api.example", "https://p:443"),
    ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, "https://api.example", "http://[fd00::1]:3128"),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "*"}, "https://api.example", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "other.example, api.example"}, "https://API.example.", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "example"}, "https://api.example", None),
    ({"HTTPS_PROXY": "p:1", "no_proxy": ".example"}, "https://api.example", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "*.example"}, "https://api.example", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "pi.example ample"}, "https://api.example", "http://p:1"),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "api.example:443"}, "https://api.example", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "api.example:8443"}, "https://api.example", "http://p:1"),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3", None),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "https://11.1.2.3", "http://p:1"),
    ({"HTTPS_PROXY": "p:1", "NO_PROXY": "[fd00::1]:443,."}, "https://[fd00::1]/", None),
    ({"ALL_PROXY": "p:1"}, "http://127.0.0.1:9/", None),
    ({"ALL_PROXY": "p:1"}, "http://localhost:9/", None),
    ({"ALL_PROXY": "p:1"}, "http://ollama.localhost:9/", None),
    ({"ALL_PROXY": "p:1"}, "https://[::1]/", None),
]


@pytest.mark.parametrize(("environment", "url", "proxy"), ROUTES)
def test_proxy_variables_have_their_precedence(environment: dict[str, str], url: str, proxy: str | None) -> None:
    """The scheme's own variable wins over ALL_PROXY, lower case over upper; NO_PROXY and loopback mean a direct connection."""
    found = Proxies.from_environment(environment).of(url)
    assert (found and found.url) == proxy


@pytest.mark.parametrize("value", ["socks5://p:1", "http://p:port", "http://", "http://a b", "http://[::1"])
def test_unusable_proxy_is_a_problem(value: str) -> None:
    """What is not the URL of an HTTP proxy is named as a problem, not passed over."""
    proxy = Proxies.from_environment({"HTTPS_PROXY": value}).of("https://api.example")
    assert proxy is not None
    assert proxy.problem is not None


def test_proxy_password_is_never_shown() -> None:
    """Neither the URL that is shown nor the representation has the user or the password."""
    proxies = Proxies.from_environment({"HTTPS_PROXY": "http://user:pass%40word@p:1"})
    proxy = proxies.of("https://api.example")
    assert proxy is not None
    assert proxy.authorization == "Basic dXNlcjpwYXNzQHdvcmQ="
    assert not [secret for secret in ("user", "pass", "dXNlcj") if secret in f"{proxies!r} {proxy.url}"]


class Seen:
    """What a proxy was asked: the first head of each connection."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []


@contextlib.asynccontextmanager
async def proxy_to(port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, Seen]]:
    """An HTTP proxy that takes every name for an upstream on this port of loopback."""
    seen = Seen()

    async def script(peer: Peer) -> None:
        head = await peer._reader.readuntil(b"\r\n\r\n")
        seen.heads.append(head)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if head.startswith(b"CONNECT "):
            await peer.send(b"HTTP/1.1 200 Connection established\r\nx-proxy: 1\r\n\r\n")
        else:
            writer.write(head)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while piece := await source.read(65536):
                    sink.write(piece)
                    await sink.drain()
            sink.close()

        try:
            await asyncio.gather(copy(peer._reader, writer), copy(reader, peer._writer))
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with serve(script, tls=tls) as server:
        yield server.url.split("/")[2], seen


def port_of(url: str) -> int:
    return int(url.split("/")[2].rpartition(":")[2])


async def ask(transport: Transport, url: str) -> bytes:
    response = await transport.send(chat(url), timeouts=PATIENT)
    try:
        return await response.read()
    finally:
        await response.aclose()


async def refused(transport: Transport, url: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(transport, url)
    await transport.aclose()
    return caught.value


async def test_https_upstream_is_reached_through_connect(make_transport: MakeTransport, tmp_path: Path) -> None:
    """An https upstream is reached through CONNECT, with the proxy's user and password; its key goes to the upstream alone."""
    server_tls, ca_file = self_signed(tmp_path, host="api.example")
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.request())
            await peer.send(ANSWER)

    async with serve(script, tls=server_tls) as upstream, proxy_to(port_of(upstream.url)) as (address, seen):
        proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://user:word@{address}"})
        transport = make_transport(tls=tls_context(ca_file), proxies=proxies)
        for _ in range(2):
            assert await ask(transport, "https://api.example/v1/chat?a=1") == b"{}"
        await transport.aclose()
    assert len(seen.heads) == 1
    assert seen.heads[0].startswith(b"CONNECT api.example:443 HTTP/1.1\r\n")
    assert b"\r\nproxy-authorization: basic dxnlcjp3b3jk\r\n" in seen.heads[0].lower()
    assert b"sk-secret" not in seen.heads[0]
    assert [request.split(b"\r\n")[0] for request in requests] == [b"POST /v1/chat?a=1 HTTP/1.1"] * 2
    assert b"proxy-authorization" not in requests[0].lower()


async def test_tunnel_works_through_a_tls_proxy(make_transport: MakeTransport, tmp_path: Path) -> None:
    """A proxy that is itself spoken to over TLS works as well: one TLS connection within another."""
    (tmp_path / "proxy").mkdir()
    proxy_tls, proxy_ca = self_signed(tmp_path / "proxy")
    server_tls, ca_file = self_signed(tmp_path, host="api.example")
    trusted = tls_context(ca_file)
    trusted.load_verify_locations(proxy_ca)
    async with (
        serve(says(ANSWER), tls=server_tls) as upstream,
        proxy_to(port_of(upstream.url), tls=proxy_tls) as (address, seen),
    ):
        transport = make_transport(tls=trusted, proxies=Proxies.from_environment({"ALL_PROXY": f"https://{address}"}))
        assert await ask(transport, "https://api.example/v1") == b"{}"
        await transport.aclose()
    assert len(seen.heads) == 1


async def test_upstream_certificate_is_checked_through_the_tunnel(
    make_transport: MakeTransport, tmp_path: Path
) -> None:
    """The upstream's certificate is checked through the tunnel: a proxy that answers for it is found out, and gets no request."""
    server_tls, ca_file = self_signed(tmp_path, host="someone.else")
    async with serve(says(ANSWER), tls=server_tls) as upstream, proxy_to(port_of(upstream.url)) as (address, _):
        proxies = Proxies.from_environment({"HTTPS_PROXY": address})
        error = await refused(make_transport(tls=tls_context(ca_file), proxies=proxies), "https://api.example/v1")
    assert type(error) is UpstreamTLS


async def test_http_upstream_is_requested_by_whole_url(make_transport: MakeTransport) -> None:
    """An http upstream is asked for through the proxy by its whole URL."""
    async with serve(says(ANSWER)) as upstream, proxy_to(port_of(upstream.url)) as (address, seen):
        proxies = Proxies.from_environment({"http_proxy": f"http://user:word@{address}"})
        transport = make_transport(proxies=proxies)
        assert await ask(transport, "http://api.example:8080/v1?a=1") == b"{}"
        await transport.aclose()
    assert seen.heads[0].startswith(b"POST http://api.example:8080/v1?a=1 HTTP/1.1\r\n")
    assert b"\r\nhost: api.example:8080\r\n" in seen.heads[0].lower()
    assert b"\r\nproxy-authorization: basic dxnlcjp3b3jk\r\n" in seen.heads[0].lower()


async def test_loopback_upstream_is_reached_directly(make_transport: MakeTransport) -> None:
    """An upstream on this machine, as the demo's are, is reached directly whatever the environment says."""
    async with serve(says(ANSWER)) as upstream, serve(says_and_leaves(b"")) as proxy:
        transport = make_transport(proxies=Proxies.from_environment({"ALL_PROXY": proxy.url}))
        assert await ask(transport, upstream.url) == b"{}"
        await transport.aclose()
    assert proxy.connections == 0


REFUSALS = [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "user and a password"),
    (b"HTTP/1.1 503 Busy\r\ncontent-length: 5\r\n\r\nsorry", "status 503"),
    (b"SSH-2.0-OpenSSH\r\n\r\n", "valid HTTP"),
    (b"x" * 70_000, "valid HTTP"),
    (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "valid HTTP"),
    (b"", "its proxy cannot be reached"),
]


@pytest.mark.parametrize(("answer", "words"), REFUSALS, ids=["407", "503", "ssh", "endless", "surplus", "gone"])
async def test_refused_tunnel_makes_the_upstream_unreachable(answer: bytes, words: str) -> None:
    """A proxy that opens no tunnel makes the upstream unreachable, for a reason that is told; nothing was sent to the upstream."""

    async def script(peer: Peer) -> None:
        await peer._reader.readuntil(b"\r\n\r\n")
        await peer.send(answer)

    async with serve(script) as proxy:
        proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://{proxy.url.split('/')[2]}"})
        error = await refused(Http1Transport(proxies=proxies), "https://api.example/v1")
    assert (type(error), error.maybe_billed) == (UpstreamUnreachable, False)
    assert words in error.message
    assert "127.0.0.1" not in error.message


async def test_proxy_answer_is_read_byte_by_byte(tmp_path: Path) -> None:
    """The proxy's answer is read however it is cut."""

    async def script(peer: Peer) -> None:
        await peer._reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/1.0 403 No\r\n\r\n":
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)

    async with serve(script) as proxy:
        proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://{proxy.url.split('/')[2]}"})
        error = await refused(Http1Transport(proxies=proxies), "https://[fd00::2]/v1")
    assert "status 403" in error.message


async def test_connect_timeout_covers_the_tunnel(make_transport: MakeTransport) -> None:
    """The limit for connecting covers the tunnel."""
    async with serve(says_and_hangs(b"")) as proxy:
        proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://{proxy.url.split('/')[2]}"})
        transport = make_transport(proxies=proxies)
        with pytest.raises(UpstreamError):
            await transport.send(
                chat("https://api.example/v1"), timeouts=PATIENT._replace(connect=0.05, first_byte=0.2)
            )
        await asyncio.wait_for(proxy.ended.acquire(), 2)
        await transport.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_proxy_that_is_not_there(make_transport: MakeTransport, scheme: str) -> None:
    """A proxy that refuses connections makes the upstream unreachable."""
    async with serve(says(ANSWER)) as proxy:
        pass
    proxies = Proxies.from_environment({"ALL_PROXY": proxy.url})
    error = await refused(make_transport(proxies=proxies), f"{scheme}://api.example/v1")
    assert type(error) is UpstreamUnreachable


async def test_plain_upstream_refused_by_the_proxy() -> None:
    """A proxy's wish for a password is not taken for the upstream's answer."""
    async with serve(says(ANSWER.replace(b"200 OK", b"407 No"))) as proxy:
        transport = Http1Transport(proxies=Proxies.from_environment({"ALL_PROXY": proxy.url}))
        error = await refused(transport, "http://api.example/v1")
    assert "user and a password" in error.message


async def test_unusable_proxy_makes_upstreams_unreachable(make_transport: MakeTransport) -> None:
    """Without a proxy that can be used an upstream is unreachable; it is never reached directly instead."""
    transport = make_transport(proxies=Proxies.from_environment({"ALL_PROXY": "socks5://127.0.0.1:9"}))
    assert type(await refused(transport, "https://api.example/v1")) is UpstreamUnreachable
